// Expectations for the tests of this folder: each failure is printed, and the program's exit status reflects it.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

inline int failures = 0;

inline void expect(bool holds, const std::string& what) {
    if (!holds) {
        failures++;
        std::fprintf(stderr, "FAILED: %s\n", what.c_str());
    }
}

template <class A, class B>
void expectEqual(A actual, B expected, const std::string& what) {
    expect(actual == static_cast<A>(expected),
           what + ": " + std::to_string(actual) + " (expected: " + std::to_string(expected) + ")");
}

inline int finished(const char* name) {
    std::printf("%s: %s\n", name, failures == 0 ? "passed" : "FAILED");
    return failures == 0 ? 0 : 1;
}
