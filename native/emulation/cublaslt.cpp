// An empty library: this project only needs to load cuBLASLt, and calls no function of it.
extern "C" unsigned long long cublasLtGetVersion() { return 130000; }
