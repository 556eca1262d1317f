// Runs a kernel: block after block, the threads of each as fibers, both in an order that the seed decides.
#include "block.h"

#include "fiber.h"
#include "runtime.h"
#include "shared_memory.h"
#include <array>
#include <deque>
#include <numeric>
#include <string>
#include <vector>

uint3 threadIdx;
uint3 blockIdx;
uint3 blockDim;
uint3 gridDim;

namespace emulation {
namespace {

enum class Waits { FOR_WARP, FOR_BLOCK };

struct Thread {
    Fiber* fiber = nullptr; // from its start to its end
    uint3 index;
    Waits waits = Waits::FOR_BLOCK;
    int line = 0; // where it waits
};

/** An exchange among the lanes of a warp. Two sets of values alternate, as a fast lane may be one exchange ahead. */
struct Warp {
    std::array<std::array<uint64_t, 32>, 2> values;
    unsigned exchanges = 0; // so far
    unsigned lanes = 0;     // a bit for each lane that there is,
    unsigned arrived = 0;   // that has given its value,
    unsigned ready = 0;     // that can start or continue
    int line = 0;           // where lanes have arrived
    int place = 0;          // in the order of the warps
};

constexpr size_t NONE = ~size_t{0}; // no thread

uint64_t seed = 1;
const std::function<void()>* body = nullptr;
std::vector<Thread> threads; // of the block
size_t running = 0;          // one of them
size_t ended = 0;            // how many of them
size_t following = 0;        // the one that runs next
std::vector<Warp> warps;
std::vector<int> order;      // of the warps
unsigned readyPlaces = 0;    // a bit for each place in that order whose warp has lanes that can start or continue
bool runAhead = false;       // the first warp in that order runs for as long as it can, instead of a random one
std::deque<Fiber> fibers;
std::vector<Fiber*> idle; // those that no thread has
std::string trouble;

/** A linear congruential generator, of whose states the upper bits are used. */
uint64_t random(uint64_t below) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<unsigned __int128>(seed) * below >> 64;
}

/** Ends the block after the caller has set its error; objects on this stack would never be freed. */
[[noreturn]] void giveUp() {
    threads[running].fiber->switchTo(Fiber::host);
    __builtin_unreachable(); // the threads of a failed block never continue
}

std::string describe(const Thread& thread) {
    auto where = thread.fiber == nullptr ? "has returned"
               : thread.waits == Waits::FOR_BLOCK ? "waits for the block at line " + std::to_string(thread.line)
                                                  : "waits for its warp at line " + std::to_string(thread.line);
    return "thread " + std::to_string(thread.index.x) + " " + where;
}

void makeReady(Warp& warp, unsigned lanes) {
    warp.ready |= lanes;
    readyPlaces |= 1u << warp.place;
}

/** Draws a new order of fast and slow warps, all of whose lanes are ready. */
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
        warp.ready = 0;
        makeReady(warp, warp.lanes);
    }
    runAhead = random(4) != 0;
}

/** Handles a block in which no thread can continue: either all wait at one barrier, or the kernel is wrong. */
[[gnu::noinline]] void releaseBlock() {
    for (auto& thread : threads) {
        if (thread.fiber == nullptr || thread.waits != Waits::FOR_BLOCK || thread.line != threads[0].line) {
            trouble = describe(thread) + ", but " + describe(&thread == &threads[0] ? threads.back() : threads[0]);
            return;
        }
    }
    shuffleWarps();
}

/** Returns the first bit of a set from `start` on, or else the first of all. */
unsigned firstFrom(unsigned start, unsigned set) {
    return (__builtin_ctz(set >> start | set << (32 - start) % 32) + start) % 32;
}

/** Takes a thread that can start or continue: of the first warp that has one, or of a random warp. */
size_t takeReady() {
    unsigned place = firstFrom(runAhead ? 0 : random(order.size()), readyPlaces);
    auto& warp = warps[order[place]];
    unsigned lane = firstFrom(random(32), warp.ready);
    warp.ready &= ~(1u << lane);
    if (warp.ready == 0) {
        readyPlaces &= ~(1u << place);
    }
    return 32 * order[place] + lane;
}

[[noreturn]] void runThreads();

/** Returns a fiber that runs nothing. */
[[gnu::noinline]] Fiber* newFiber() {
    if (idle.empty()) {
        idle.push_back(&fibers.emplace_back());
    }
    auto* fiber = idle.back();
    idle.pop_back();
    fiber->start(runThreads);
    return fiber;
}

/** Decides which thread follows the one that runs, if one can, so that its stack is in the processor's cache then. */
void lookAhead() {
    following = readyPlaces == 0 ? NONE : takeReady();
    if (following != NONE && threads[following].fiber != nullptr) {
        threads[following].fiber->prefetch();
    }
}

/** Chooses the thread that runs next and returns its fiber, `free` or a new one if it starts; at the block's end, the host. */
Fiber& choose(Fiber* free) {
    if (following == NONE && readyPlaces == 0 && ended < threads.size()) {
        releaseBlock();
    }
    if (following == NONE) {
        if (readyPlaces == 0) {
            return Fiber::host;
        }
        following = takeReady();
    }
    running = following;
    lookAhead();
    auto& thread = threads[running];
    if (thread.fiber == nullptr) {
        thread.fiber = free != nullptr ? free : newFiber();
    }
    threadIdx = thread.index;
    return *thread.fiber;
}

void pause(Waits waits, int line) {
    auto& self = threads[running];
    self.waits = waits;
    self.line = line;
    auto& fiber = *self.fiber;
    if (auto& next = choose(nullptr); &next != &fiber) {
        fiber.switchTo(next);
    }
}

/** Runs threads in one fiber, each from its start to its end, until the next one to run has another fiber. */
void runThreads() {
    while (true) {
        (*body)();
        auto& fiber = *threads[running].fiber;
        threads[running].fiber = nullptr;
        ended++;
        if (auto& next = choose(&fiber); &next != &fiber) {
            idle.push_back(&fiber);
            fiber.endWith(next);
        }
    }
}

void runBlock() {
    for (auto& warp : warps) {
        warp.arrived = 0;
    }
    ended = 0;
    following = NONE;
    shuffleWarps();
    Fiber::host.switchTo(choose(nullptr));
    for (auto& thread : threads) {
        if (thread.fiber != nullptr) { // left behind by an error
            idle.push_back(thread.fiber);
            thread.fiber = nullptr;
        }
    }
}

/** Lays out a block's threads and warps. */
void prepare() {
    unsigned size = blockDim.x * blockDim.y * blockDim.z;
    threads.resize(size);
    for (unsigned t = 0; t < size; t++) {
        threads[t].index = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
    }
    warps.resize((size + 31) / 32);
    for (auto& warp : warps) {
        warp.lanes = ~0u;
    }
    warps.back().lanes >>= 32 * warps.size() - size;
}

} // namespace

void setSeed(uint64_t value) { seed = value; }

void waitForBlock(int line) { pause(Waits::FOR_BLOCK, line); }

/** Gives a value and waits until every lane has given one; returns the values of all lanes. */
static const std::array<uint64_t, 32>& meet(unsigned mask, uint64_t value, int line) {
    auto& warp = warps[running / 32];
    if (mask != ~0u || warp.lanes != ~0u) {
        trouble = "line " + std::to_string(line) + ": not all 32 lanes of a warp (the emulation asks for that)";
        giveUp();
    }
    if (warp.arrived != 0 && warp.line != line) {
        trouble = describe(threads[running / 32 * 32 + __builtin_ctz(warp.arrived)]) + ", but thread "
                + std::to_string(threadIdx.x) + " at line " + std::to_string(line);
        giveUp();
    }
    auto& values = warp.values[warp.exchanges & 1];
    unsigned self = 1u << running % 32;
    values[running % 32] = value;
    warp.line = line;
    warp.arrived |= self;
    if (warp.arrived != mask) {
        pause(Waits::FOR_WARP, line);
        return values;
    }
    warp.arrived = 0;
    warp.exchanges++;
    makeReady(warp, ~self);
    if (following != NONE) { // decide anew, among more
        makeReady(warps[following / 32], 1u << following % 32);
        following = NONE;
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

void trap(int line) {
    trouble = "trap at line " + std::to_string(line);
    giveUp();
}

void refuseMisaligned(uintptr_t beyond, int bytes) {
    trouble = "misaligned address: " + std::to_string(beyond) + " beyond a multiple of " + std::to_string(bytes);
    giveUp();
}

std::string runKernel(dim3 grid, dim3 block, const std::function<void()>& kernel) {
    body = &kernel;
    blockDim = {block.x, block.y, block.z};
    gridDim = {grid.x, grid.y, grid.z};
    trouble.clear();
    prepare();
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
        runBlock();
        at = (at + step) % count;
    }
    return trouble.empty() ? "" : "block " + std::to_string(blockIdx.x) + ": " + trouble;
}

} // namespace emulation
