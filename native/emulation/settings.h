// What the emulation pretends: variables of the environment, read at each call, so that a test may change them.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <sstream>
#include <string>

namespace emulation {

inline std::string setting(const char* variable, const char* otherwise) {
    const char* value = std::getenv(variable);
    return value == nullptr ? otherwise : value;
}

/** LMDEBUGGER_EMULATED_DEVICES: the number of cards. */
inline int devices() { return std::stoi(setting("LMDEBUGGER_EMULATED_DEVICES", "1")); }

/** LMDEBUGGER_EMULATED_CAPABILITIES: compute capabilities of the cards, such as 75,90; further ones are as the last. */
inline int capability(int device) {
    std::istringstream list(setting("LMDEBUGGER_EMULATED_CAPABILITIES", "90"));
    std::string one;
    for (int i = 0; i <= device && std::getline(list, one, ','); i++) {
    }
    return std::stoi(one);
}

/** LMDEBUGGER_EMULATED_MEMORY: bytes of memory of each card. */
inline size_t total() { return std::stoull(setting("LMDEBUGGER_EMULATED_MEMORY", "4294967296")); }

/** LMDEBUGGER_EMULATED_FAULT: the code that every call returns, as after a failure of the card. */
inline int failure() { return std::stoi(setting("LMDEBUGGER_EMULATED_FAULT", "0")); }

/** NVIDIA_TF32_OVERRIDE, as of the real cuBLAS: 1 rounds FP32 operands and 0 does not, whatever the caller asks for. */
inline std::string tf32Override() { return setting("NVIDIA_TF32_OVERRIDE", ""); }

/**
 * LMDEBUGGER_EMULATED_SHAPES: a seed by which cuBLAS chooses, for each shape of a product, the order of sums and, in TF32,
 * whether operands are rounded to nearest or cut; those of a single row are not rounded at all. Without it there is one
 * order, and all are rounded to nearest.
 */
inline std::string shapes() { return setting("LMDEBUGGER_EMULATED_SHAPES", ""); }

/** LMDEBUGGER_EMULATED_EPILOGUES: none, if cuBLASLt has no kernel for any product with a bias, even where it chose one. */
inline bool epilogues() { return setting("LMDEBUGGER_EMULATED_EPILOGUES", "all") != "none"; }

} // namespace emulation
