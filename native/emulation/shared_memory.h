// The __shared__ variables of kernels, which the emulation compiles as static variables of functions.
#pragma once

namespace emulation {

/** Finds the shared variables of the library that holds `code`, once, by its symbol table. */
void findSharedMemory(const void* code);

/** Fills shared memory, which is undefined when a block starts, with NaN (-1 as an integer). */
void fillSharedMemory();

} // namespace emulation
