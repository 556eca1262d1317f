// A fiber: a stack of its own that runs in turns with its owner, on one host thread. Switches are announced to
// AddressSanitizer.
#pragma once

#include <cstddef>
#include <functional>

namespace emulation {

class Fiber {
public:
    Fiber();
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /** Prepares to run `body` from its start; an unfinished body is abandoned. */
    void start(const std::function<void()>& body);

    /** Runs until the body pauses or ends. */
    void resume();

    /** Returns to resume()'s caller; only from inside the body. */
    void pause();

    bool ended() const { return ended_; }

private:
    static constexpr size_t STACK = 256 * 1024;
    // Stacks begin at different places of a page: if all did at the same, their frames would be in one another's way in the
    // processor's cache.
    static constexpr size_t COLORS = 61, COLOR = 704; // bytes

    struct Entry;
    void leave(bool forever);

    char* stack_;
    size_t size_; // of the stack
    void* context_ = nullptr;  // saved state of the body
    void* owner_ = nullptr;    // saved state of resume()'s caller
    void* shadow_ = nullptr;   // the sanitizer's state of the body's stack
    const void* ownerStack_ = nullptr;
    size_t ownerSize_ = 0;
    bool ended_ = true;
    const std::function<void()>* body_ = nullptr;
};

} // namespace emulation
