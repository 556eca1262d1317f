// The running of kernels, for the emulated runtime and for tests of it.
#pragma once

#include "include/kernel_language.h"
#include <string>

namespace emulation {

/** From here on, threads and blocks take turns in the order that this number decides. */
void setSeed(uint64_t seed);

/** Runs a kernel to its end; returns what is wrong with it, or nothing. Under the runtime's lock. */
std::string runKernel(dim3 grid, dim3 block, const std::function<void()>& body);

} // namespace emulation
