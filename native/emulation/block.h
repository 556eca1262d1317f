// Execution of kernels, for the emulated runtime and for tests of it.
#pragma once

#include "include/kernel_language.h"
#include <string>

namespace emulation {

/** Seeds the order in which threads and blocks take turns from now on. */
void setSeed(uint64_t seed);

/** Runs a kernel to its end and returns a description of its error, or nothing. Called under the runtime's lock. */
std::string runKernel(dim3 grid, dim3 block, const std::function<void()>& body);

} // namespace emulation
