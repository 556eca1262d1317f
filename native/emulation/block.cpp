// Runs a kernel: block after block, the threads of each as fibers, both in an order that the seed decides.
#include "block.h"

#include "fiber.h"
#include "runtime.h"
#include "shared_memory.h"
#include <array>
#include <cstdio>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

__thread uint3 threadIdx;
__thread uint3 blockIdx;
__thread uint3 blockDim;
__thread uint3 gridDim;

namespace emulation {
namespace {

enum class Waits { NOT, FOR_WARP, FOR_BLOCK };

struct Thread {
    Fiber fiber;
    uint3 index;
    int warp = 0;
    int lane = 0;
    Waits waits = Waits::NOT;
    int line = 0;
    int exchanges = 0;
};

/** An exchange among the lanes of a warp. Two sets of values alternate, as a fast lane may be one exchange ahead. */
struct Warp {
    std::array<std::array<uint64_t, 32>, 2> values;
    unsigned arrived = 0;
    std::vector<int> ready; // lanes that can continue
    int place = 0; // in the order of the warps
};

uint64_t seed = 1;
std::vector<std::unique_ptr<Thread>> threads;
std::vector<Warp> warps;
std::vector<int> order; // of the warps
unsigned readyPlaces = 0; // a bit for each place in that order whose warp has lanes that can continue
bool runAhead = false;  // the first warp in that order runs for as long as it can, instead of a random one
int size = 0; // threads of the block
Thread* running = nullptr;
std::string trouble;

/** splitmix64. */
uint64_t random(uint64_t below) {
    seed += 0x9e3779b97f4a7c15ull;
    uint64_t z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return static_cast<unsigned __int128>(z ^ z >> 31) * below >> 64;
}

/** Ends the block after the caller has set its error; objects on this stack would never be freed. */
[[noreturn]] void giveUp() {
    running->fiber.pause();
    __builtin_unreachable(); // the threads of a failed block are never resumed
}

std::string describe(const Thread& thread) {
    auto where = thread.fiber.ended() ? "has returned"
               : thread.waits == Waits::FOR_BLOCK ? "waits for the block at line " + std::to_string(thread.line)
                                                  : "waits for its warp at line " + std::to_string(thread.line);
    return "thread " + std::to_string(thread.index.x) + " " + where;
}

void makeReady(int thread) {
    auto& warp = warps[thread / 32];
    warp.ready.push_back(thread);
    readyPlaces |= 1u << warp.place;
}

/** Draws a new order of fast and slow warps. */
void shuffleWarps() {
    order.resize(warps.size());
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = order.size(); i > 1; i--) {
        std::swap(order[i - 1], order[random(i)]);
    }
    readyPlaces = 0;
    for (size_t i = 0; i < order.size(); i++) {
        auto& warp = warps[order[i]];
        warp.place = static_cast<int>(i);
        readyPlaces |= warp.ready.empty() ? 0 : 1u << i;
    }
    runAhead = random(4) != 0;
}

/** Returns a thread that can continue, or -1: of the next warp that has one, from the first or a random one on. */
int takeReady() {
    if (readyPlaces == 0) {
        return -1;
    }
    unsigned later = runAhead ? readyPlaces : readyPlaces & ~0u << random(order.size());
    int place = __builtin_ctz(later != 0 ? later : readyPlaces);
    auto& ready = warps[order[place]].ready;
    std::swap(ready[random(ready.size())], ready.back());
    int thread = ready.back();
    ready.pop_back();
    if (ready.empty()) {
        readyPlaces &= ~(1u << place);
    }
    return thread;
}

/** Handles a block in which no thread can continue: either all wait at one barrier, or the kernel is wrong. */
void releaseBlock() {
    for (int t = 0; t < size; t++) {
        auto& thread = *threads[t];
        if (thread.fiber.ended() || thread.waits != Waits::FOR_BLOCK || thread.line != threads[0]->line) {
            int other = &thread == threads[0].get() ? size - 1 : 0;
            trouble = describe(thread) + ", but " + describe(*threads[other]);
            return;
        }
    }
    for (int t = 0; t < size; t++) {
        threads[t]->waits = Waits::NOT;
        makeReady(t);
    }
    shuffleWarps();
}

void prepare(const std::function<void()>& body) {
    warps.assign((size + 31) / 32, Warp());
    shuffleWarps();
    for (int t = 0; t < size; t++) {
        auto& thread = *threads[t];
        thread.fiber.start(body);
        thread.index = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
        thread.warp = t / 32;
        thread.lane = t % 32;
        thread.waits = Waits::NOT;
        thread.exchanges = 0;
        makeReady(t);
    }
}

void runBlock(const std::function<void()>& body) {
    prepare(body);
    int ended = 0;
    while (ended < size && trouble.empty()) {
        int next = takeReady();
        if (next < 0) {
            releaseBlock();
            continue;
        }
        running = threads[next].get();
        threadIdx = running->index;
        running->fiber.resume();
        ended += running->fiber.ended();
    }
}

unsigned lanes(int warp) { return size - 32 * warp >= 32 ? ~0u : (1u << (size - 32 * warp)) - 1; }

} // namespace

void setSeed(uint64_t value) { seed = value; }

void waitForBlock(int line) {
    running->waits = Waits::FOR_BLOCK;
    running->line = line;
    running->fiber.pause();
}

/** Gives a value and waits until every lane has given one; returns the values of all lanes. */
static const std::array<uint64_t, 32>& meet(unsigned mask, uint64_t value, int line) {
    auto& self = *running;
    auto& warp = warps[self.warp];
    if (mask != ~0u || lanes(self.warp) != ~0u) {
        trouble = "line " + std::to_string(line) + ": not all 32 lanes of a warp (the emulation asks for that)";
        giveUp();
    }
    auto& values = warp.values[self.exchanges++ & 1];
    values[self.lane] = value;
    warp.arrived |= 1u << self.lane;
    self.line = line;
    if (warp.arrived != mask) {
        self.waits = Waits::FOR_WARP;
        self.fiber.pause();
        return values;
    }
    warp.arrived = 0;
    for (int t = 32 * self.warp; t < 32 * self.warp + 32; t++) {
        if (threads[t].get() != &self) {
            if (threads[t]->line != line) {
                trouble = describe(*threads[t]) + ", but thread " + std::to_string(self.index.x) + " at line " + std::to_string(line);
                giveUp();
            }
            threads[t]->waits = Waits::NOT;
            makeReady(t);
        }
    }
    return values;
}

uint64_t exchange(unsigned mask, uint64_t value, int source, int line) { return meet(mask, value, line)[source]; }

unsigned ballot(unsigned mask, bool vote, int line) {
    auto& votes = meet(mask, vote, line);
    unsigned bits = 0;
    for (int lane = 0; lane < 32; lane++) {
        bits |= static_cast<unsigned>(votes[lane]) << lane;
    }
    return bits;
}

int lane() { return running->lane; }

void trap(int line) {
    trouble = "trap at line " + std::to_string(line);
    giveUp();
}

void requireAligned(const void* address, int bytes) {
    if (auto beyond = reinterpret_cast<uintptr_t>(address) % bytes; beyond != 0) {
        trouble = "misaligned address: " + std::to_string(beyond) + " beyond a multiple of " + std::to_string(bytes);
        giveUp();
    }
}

std::string runKernel(dim3 grid, dim3 block, const std::function<void()>& body) {
    size = static_cast<int>(block.x * block.y * block.z);
    while (threads.size() < static_cast<size_t>(size)) {
        threads.push_back(std::make_unique<Thread>());
    }
    blockDim = {block.x, block.y, block.z};
    gridDim = {grid.x, grid.y, grid.z};
    trouble.clear();
    // Steps that have no divisor in common with the number of blocks visit each block once.
    uint64_t count = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
    uint64_t step = 1 + random(count);
    while (std::gcd(step, count) != 1) {
        step = 1 + random(count);
    }
    uint64_t at = random(count);
    for (uint64_t done = 0; done < count && trouble.empty(); done++) {
        blockIdx = {static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
                    static_cast<unsigned>(at / grid.x / grid.y)};
        fillSharedMemory();
        runBlock(body);
        at = (at + step) % count;
    }
    return trouble.empty() ? "" : "block " + std::to_string(blockIdx.x) + ": " + trouble;
}

} // namespace emulation
