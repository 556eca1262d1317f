#include "fiber.h"

#include <boost/context/detail/fcontext.hpp>
#include <new>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
static void __sanitizer_start_switch_fiber(void**, const void*, size_t) {}
static void __sanitizer_finish_switch_fiber(void*, const void**, size_t*) {}
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

namespace emulation {

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

struct Fiber::Entry {
    static void run(transfer_t transfer) {
        auto* self = static_cast<Fiber*>(transfer.data);
        __sanitizer_finish_switch_fiber(nullptr, &self->ownerStack_, &self->ownerSize_);
        self->owner_ = transfer.fctx;
        (*self->body_)();
        self->ended_ = true;
        self->leave(true);
    }
};

Fiber::Fiber() {
    // The page below the stack is inaccessible, so that an overflow is detected.
    void* memory = mmap(nullptr, STACK + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(static_cast<char*>(memory) + 4096, STACK, PROT_READ | PROT_WRITE) != 0) {
        throw std::bad_alloc();
    }
    stack_ = static_cast<char*>(memory) + 4096;
    static size_t made = 0;
    size_ = STACK - made++ % COLORS * COLOR;
}

Fiber::~Fiber() { munmap(stack_ - 4096, STACK + 4096); }

void Fiber::start(const std::function<void()>& body) {
    ASAN_UNPOISON_MEMORY_REGION(stack_, STACK); // frames of an abandoned body
    body_ = &body;
    ended_ = false;
    shadow_ = nullptr;
    context_ = make_fcontext(stack_ + size_, size_, Entry::run);
}

void Fiber::resume() {
    void* shadow = nullptr;
    __sanitizer_start_switch_fiber(&shadow, stack_, STACK);
    auto transfer = jump_fcontext(context_, this);
    context_ = transfer.fctx;
    __sanitizer_finish_switch_fiber(shadow, nullptr, nullptr);
}

void Fiber::pause() { leave(false); }

void Fiber::leave(bool forever) {
    __sanitizer_start_switch_fiber(forever ? nullptr : &shadow_, ownerStack_, ownerSize_);
    auto transfer = jump_fcontext(owner_, nullptr);
    owner_ = transfer.fctx;
    __sanitizer_finish_switch_fiber(shadow_, &ownerStack_, &ownerSize_);
}

} // namespace emulation
