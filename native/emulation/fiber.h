// A fiber: a stack on which code runs in turns with that on other stacks, on one host thread. Switches are announced to
// AddressSanitizer.
#pragma once

#include <cstddef>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
static void __sanitizer_start_switch_fiber(void**, const void*, size_t) {}
static void __sanitizer_finish_switch_fiber(void*, const void**, size_t*) {}
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

/** Leaves the stack that is in use, whose top goes to *from, for the one whose top is `to`. */
extern "C" [[gnu::visibility("hidden")]] void switchStack(void** from, void* to);

namespace emulation {

class [[gnu::visibility("hidden")]] Fiber {
public:
    /** Stands for the host thread, with the stack of whoever switches from it. */
    static Fiber host;

    /** Makes a fiber with a new stack. */
    Fiber();
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /** Prepares to run `body`, which never returns, from its start; an unfinished one is abandoned. */
    void start(void (*body)());

    /** Has the processor read the top of the stack into its cache. */
    void prefetch() const { __builtin_prefetch(top_, 1); }

    /** Leaves this fiber, which is the one that runs, for `other`; returns when another one switches to this. */
    void switchTo(Fiber& other) {
        leaveFor(other, &shadow_);
        arrive(shadow_);
    }

    /** Leaves this fiber, which is the one that runs, for `other`; this one is to be started anew. */
    [[noreturn]] void endWith(Fiber& other) {
        ended_ = true;
        leaveFor(other, nullptr);
        __builtin_unreachable();
    }

private:
    static constexpr size_t STACK = 256 * 1024, GUARD = 4096;
    // Stacks begin at different places of a page: if all did at the same, their frames would be in one another's way in the
    // processor's cache.
    static constexpr size_t COLORS = 61, COLOR = 704; // bytes

    struct Host {};
    explicit Fiber(Host) : stack_(nullptr) {}
    static void run(void (*body)());

    void leaveFor(Fiber& other, void** shadow) {
        bool back = &other == &host;
        __sanitizer_start_switch_fiber(shadow, back ? hostStack : other.stack_, back ? hostSize : STACK);
        left = this;
        switchStack(&top_, other.top_);
    }

    static void arrive(void* shadow) {
        const void* stack = nullptr;
        size_t size = 0;
        __sanitizer_finish_switch_fiber(shadow, &stack, &size);
        if (left == &host) {
            hostStack = stack;
            hostSize = size;
        }
    }

    static Fiber* left; // for the one that runs
    static const void* hostStack;
    static size_t hostSize;

    void* top_ = nullptr;    // of the stack, while this fiber does not run
    char* stack_;
    void* shadow_ = nullptr; // the sanitizer's state of the stack
    bool ended_ = true;
};

} // namespace emulation
