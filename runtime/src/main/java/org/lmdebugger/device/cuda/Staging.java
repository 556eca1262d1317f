package org.lmdebugger.device.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.bindings.CudaEvent;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.bindings.CudaStream;

/**
 * Pinned memory for copies between the heap and a GPU. Uploads need not wait: the caller may change its array at once,
 * as the bytes are kept here until the device has fetched them.
 */
final class Staging {
    private static final long BYTES = 4 << 20;

    private record Arrival(MemorySegment to, MemorySegment staged) {
    }

    private final CudaStream stream;
    private final MemorySegment pinned;
    private final CudaEvent arrived; // of the last download
    private final List<Arrival> arrivals = new ArrayList<>();
    private long used;
    private boolean uploads; // whether some were queued after the last download

    /**
     * @param arrived an event of its own, closed by the caller
     * @param arena   shared; closing it frees the pinned memory
     */
    Staging(CudaStream stream, CudaEvent arrived, Arena arena) {
        this.stream = stream;
        this.arrived = arrived;
        pinned = CudaMemory.pinned(arena, BYTES);
    }

    void upload(long to, MemorySegment from) {
        if (from.isNative() && from.byteSize() > BYTES) {
            stream.copyToDevice(to, from);
            stream.synchronize(); // unpinned memory may be reused only now
            return;
        }
        for (long at = 0; at < from.byteSize(); at += BYTES) {
            long bytes = Math.min(BYTES, from.byteSize() - at);
            stream.copyToDevice(to + at, room(bytes).copyFrom(from.asSlice(at, bytes)));
            uploads = true;
        }
    }

    /** Queues a copy to the host; it has arrived after {@link #await} or {@link #finish}. */
    void download(MemorySegment to, long from) {
        for (long at = 0; at < to.byteSize(); at += BYTES) {
            long bytes = Math.min(BYTES, to.byteSize() - at);
            var staged = room(bytes);
            stream.copyToHost(staged, from + at);
            arrivals.add(new Arrival(to.asSlice(at, bytes), staged));
        }
        arrived.record(stream);
        uploads = false;
    }

    /** Waits for the copies to the host, but not for work that is queued behind them, and delivers them. */
    void await() {
        arrived.synchronize();
        deliver();
        used = uploads ? used : 0; // their room is free only when they are done
    }

    private void deliver() {
        arrivals.forEach(arrival -> arrival.to.copyFrom(arrival.staged));
        arrivals.clear();
    }

    /** Waits for all copies and delivers those to the host. */
    void finish() {
        stream.synchronize();
        deliver();
        used = 0;
    }

    /** Waits for all copies and delivers none. */
    void abandon() {
        arrivals.clear();
        used = 0;
        stream.synchronize();
    }

    private MemorySegment room(long bytes) {
        if (used + bytes > BYTES) {
            finish();
        }
        var room = pinned.asSlice(used, bytes);
        used += (bytes + 15) / 16 * 16;
        return room;
    }
}
