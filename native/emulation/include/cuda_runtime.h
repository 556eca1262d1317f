// Takes the place of CUDA's header of this name when a .cu file is compiled for the emulation.
#pragma once

#include "kernel_language.h"
#include "runtime_api.h"
