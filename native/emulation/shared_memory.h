// The __shared__ variables of kernels, which the emulation compiles as static variables of functions.
#pragma once

namespace emulation {

/** Finds those of the library that holds `code`, once; its symbol table tells them from other data. */
void findSharedMemory(const void* code);

/** Shared memory is undefined when a block starts: NaN, and -1 as an integer. */
void fillSharedMemory();

} // namespace emulation
