#include "fiber.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <sys/mman.h>

// switchStack keeps the registers that belong to the caller on its stack, and goes on where another call did so. Its return
// is predicted well although it is another call's, as most fibers wait at the same place. startStack is where a new fiber
// goes on: it calls the function in rbx with the value in r12.
asm(R"(
    .text
    .globl switchStack
    .hidden switchStack
    .type switchStack, @function
switchStack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size switchStack, .-switchStack

    .local startStack
    .type startStack, @function
startStack:
    movq %r12, %rdi
    call *%rbx
    .size startStack, .-startStack
)");
extern "C" void startStack();

namespace emulation {

Fiber Fiber::host{Host()};
Fiber* Fiber::left;
const void* Fiber::hostStack;
size_t Fiber::hostSize;

Fiber::Fiber() {
    // The page below the stack is inaccessible, so that an overflow is detected.
    void* memory = mmap(nullptr, GUARD + STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(static_cast<char*>(memory) + GUARD, STACK, PROT_READ | PROT_WRITE) != 0) {
        throw std::bad_alloc();
    }
    stack_ = static_cast<char*>(memory) + GUARD;
}

Fiber::~Fiber() {
    if (stack_ != nullptr) {
        munmap(stack_ - GUARD, GUARD + STACK);
    }
}

void Fiber::start(void (*body)()) {
    if (!ended_) {
        ASAN_UNPOISON_MEMORY_REGION(stack_, STACK); // frames of the abandoned body
    }
    ended_ = false;
    shadow_ = nullptr;
    auto color = reinterpret_cast<uintptr_t>(stack_) / (GUARD + STACK) % COLORS * COLOR; // a multiple of 16, as it must be
    auto address = [](auto* function) { return reinterpret_cast<void*>(function); };
    std::array<void*, 7> popped{nullptr, nullptr, nullptr, address(body), address(run), nullptr, address(startStack)};
    top_ = stack_ + STACK - color - sizeof popped;
    std::memcpy(top_, popped.data(), sizeof popped);
}

void Fiber::run(void (*body)()) {
    arrive(nullptr);
    body();
}

} // namespace emulation
