package org.lmdebugger.device.cuda;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Function;
import java.util.function.Supplier;
import org.lmdebugger.bindings.CudaDevices;
import org.lmdebugger.bindings.CudaException;
import org.lmdebugger.bindings.CudaLibraries;
import org.lmdebugger.bindings.CudaMemory;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.DeviceTraits;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Lifetimes;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.cuda.CudaPool.Block;

/**
 * An NVIDIA GPU: cuBLAS for products, the kernels of {@code native} for the rest. Each call has a stream, a cuBLAS
 * handle and a workspace of its own, which later calls use again; weights are shared.
 */
public final class CudaDevice implements Device {
    /**
     * Whether freed memory is kept for later requests, up to an eighth of the GPU's, instead of going back to the driver
     * each time: true unless set.
     */
    public static final String KEEP = "lmdebugger.cuda.keep";

    /** All neurons of a GPT-2 small at one position, and more. */
    private static final long LARGEST_CHUNK = 2L << 30;

    private final boolean keep = Boolean.parseBoolean(System.getProperty(KEEP, "true"));
    private final int ordinal;
    private final Precision precision;
    private final ConcurrentLinkedDeque<CudaOperations> idle = new ConcurrentLinkedDeque<>();
    private final ThreadLocal<CudaOperations> current = new ThreadLocal<>();
    private final Lifetimes lifetimes;
    private final CudaPool pool;
    private final DeviceTraits traits;
    private volatile boolean closed;

    /**
     * @param ordinal number of the GPU, from 0
     * @throws NativeLibraryException   if CUDA cannot be used, saying everything that was tried, or the GPU is too old
     * @throws IllegalArgumentException if there is no GPU of that number
     * @throws OutOfDeviceMemoryException if the GPU's memory is full
     */
    public CudaDevice(int ordinal, Precision precision) {
        if (CudaLibraries.load() instanceof CudaLibraries.Unavailable unavailable) {
            throw unavailable.exception("cuda:" + ordinal);
        }
        if (ordinal < 0 || ordinal >= CudaDevices.count()) {
            throw new IllegalArgumentException("device: cuda:%d (expected: a number below %d)"
                    .formatted(ordinal, CudaDevices.count()));
        }
        CudaDevices.requireSuitable(ordinal);
        this.ordinal = ordinal;
        this.precision = precision;
        lifetimes = new Lifetimes(name());
        long eighth = onGpu("CUDA's own", CudaMemory::available).total() / 8;
        pool = new CudaPool(eighth);
        traits = new DeviceTraits(Math.min(eighth, LARGEST_CHUNK), 1024, 64, true, true); // 256 bytes, for loads of any width
    }

    Lifetimes lifetimes() {
        return lifetimes;
    }

    @Override
    public String name() {
        return "cuda:" + ordinal;
    }

    @Override
    public String description() {
        return call(session -> "%s, compute capability %.1f, %,d MiB, CUDA %d.%d, driver for CUDA %d.%d, cuBLAS %d"
                .formatted(
                        CudaDevices.name(ordinal), CudaDevices.computeCapability(ordinal) / 10.0,
                        CudaMemory.available().total() >> 20,
                        CudaDevices.runtimeVersion() / 1000, CudaDevices.runtimeVersion() % 1000 / 10,
                        CudaDevices.driverVersion() / 1000, CudaDevices.driverVersion() % 1000 / 10,
                        ((CudaOperations) session).blasVersion()));
    }

    /** Names what cuBLAS chooses its kernels by, and not the card, whose name a container may hide. */
    @Override
    public String arithmetic() {
        return call(session -> "CUDA %d, cuBLAS %d, compute capability %.1f, %d multiprocessors".formatted(
                CudaDevices.runtimeVersion(), ((CudaOperations) session).blasVersion(),
                CudaDevices.computeCapability(ordinal) / 10.0, CudaDevices.multiprocessors(ordinal)));
    }

    @Override
    public Precision precision() {
        return precision;
    }

    @Override
    public DeviceTraits traits() {
        return traits;
    }

    @Override
    public Tensor allocate(ElementType type, long rows, long columns) {
        if (rows < 0 || columns < 0) {
            throw new IllegalArgumentException("shape: [%d, %d] (expected: no negative size)".formatted(rows, columns));
        }
        long bytes = Math.max(1, Math.multiplyExact(Math.multiplyExact(rows, columns), type.bytes()));
        var block = block("[" + rows + ", " + columns + "] of " + type, bytes);
        return Tensor.owning(new GpuMemory(this, block, bytes), type, rows, columns);
    }

    /**
     * Returns a freed block or a new one. When the driver has no memory left, all that is kept goes back to it first.
     *
     * @param what it is for, for the message if there is none
     */
    Block block(String what, long bytes) {
        var session = current.get();
        var freed = session == null ? null : session.freed().take(bytes);
        var kept = freed == null ? pool.take(bytes) : freed;
        return kept == null ? onGpu(what, () -> newBlock(bytes)) : kept;
    }

    private Block newBlock(long bytes) {
        try {
            return new Block(CudaMemory.allocate(bytes), bytes);
        } catch (CudaException failure) {
            if (!failure.isOutOfMemory()) {
                throw failure;
            }
            giveBackKept();
            return new Block(CudaMemory.allocate(bytes), bytes);
        }
    }

    /**
     * Frees a block. Work that a call has queued may still use it, so until the call ends only that call can reuse it.
     */
    void free(Block block) {
        var session = current.get();
        if (closed || !keep) {
            if (session != null) {
                session.flush();
            }
            giveBack(List.of(block));
        } else {
            giveBack((session == null ? pool : session.freed()).add(block));
        }
    }

    /** Gives blocks back to the driver, which waits for queued work. */
    private void giveBack(List<Block> blocks) {
        if (!blocks.isEmpty()) {
            onGpu("what is given back", () -> {
                blocks.forEach(block -> CudaMemory.free(block.address()));
                return null;
            });
        }
    }

    /** Gives all blocks that are kept for later back to the driver. */
    private void giveBackKept() {
        var session = current.get();
        if (session != null) {
            session.synchronize();
            giveBack(session.freed().takeAll());
        }
        giveBack(pool.takeAll());
    }

    @Override
    public Tensor load(ElementType type, long rows, long columns, MemorySegment data) {
        if (data.byteSize() != rows * columns * type.bytes()) {
            throw new IllegalArgumentException(
                    "data: %d bytes (expected: [%d, %d] of %s)".formatted(data.byteSize(), rows, columns, type));
        }
        var tensor = allocate(weightType(rows), rows, columns);
        try {
            if (type == tensor.type() && !isRounded(rows)) {
                return call(session -> ((CudaOperations) session).uploadBytes(tensor, data));
            }
            try (var raw = allocate(type, rows, columns)) {
                return call(session -> {
                    ((CudaOperations) session).uploadBytes(raw, data);
                    ((CudaOperations) session).convert(tensor, raw);
                    return tensor;
                });
            }
        } catch (RuntimeException failure) {
            tensor.close();
            throw failure;
        }
    }

    /** Rounds matrices, whose products are of this precision; gains and biases, which are added, stay FP32. */
    private boolean isRounded(long rows) {
        return (precision == Precision.TF32 || precision == Precision.BF16) && rows > 1;
    }

    private ElementType weightType(long rows) {
        return precision == Precision.BF16 && isRounded(rows) ? ElementType.BF16 : ElementType.F32;
    }

    @Override
    public <T> T call(Function<Operations, T> work) {
        var own = current.get();
        if (own != null) { // within a call: its queue
            return onGpu("work", () -> {
                T result = work.apply(own);
                own.synchronize();
                return result;
            });
        }
        if (Thread.currentThread().isVirtual()) {
            return onPlatformThread(() -> call(work));
        }
        long call = lifetimes.begin();
        try {
            return onGpu("work", () -> {
                var session = idle.poll();
                return call(session == null ? onGpu("a queue of work", () -> new CudaOperations(this)) : session, work);
            });
        } catch (OutOfDeviceMemoryException failure) {
            giveBackKept(); // a smaller call may need it
            throw failure;
        } finally {
            lifetimes.end(call);
        }
    }

    private <T> T call(CudaOperations session, Function<Operations, T> work) {
        current.set(session);
        try {
            T result = work.apply(session);
            session.synchronize();
            return result;
        } catch (RuntimeException | Error failure) {
            session.abandon(failure);
            throw failure;
        } finally {
            current.remove();
            session.freed().takeAll().forEach(this::free);
            idle.push(session);
        }
    }

    /**
     * Does {@code work} with this GPU current. No other can become so meanwhile: that is a matter of a platform thread, so
     * a virtual thread, which may go on on another one whenever it waits, leaves the work to a thread of its own.
     *
     * @param what the memory is for, for the message if there is too little for it
     */
    private <T> T onGpu(String what, Supplier<T> work) {
        if (Thread.currentThread().isVirtual()) {
            return onPlatformThread(() -> onGpu(what, work));
        }
        try {
            return CudaDevices.on(ordinal, work);
        } catch (CudaException failure) {
            throw failure.isOutOfMemory() ? new OutOfDeviceMemoryException("memory of %s: %s: %s"
                    .formatted(name(), what, failure.getMessage()), failure) : failure;
        }
    }

    private <T> T onPlatformThread(Supplier<T> work) {
        var task = new FutureTask<>(work::get);
        Thread.ofPlatform().name("lmdebugger-" + name()).daemon().start(task);
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return task.get();
                } catch (InterruptedException e) {
                    interrupted = true; // the work is not cancelled; its caller is interrupted afterwards
                } catch (ExecutionException failure) {
                    throw sameThrowable(failure.getCause());
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static RuntimeException sameThrowable(Throwable thrown) {
        if (thrown instanceof Error error) {
            throw error;
        }
        return (RuntimeException) thrown;
    }

    @Override
    public void awaitCalls() {
        lifetimes.await();
    }

    @Override
    public void close() {
        lifetimes.close();
        closed = true;
        giveBackKept();
        onGpu("what is given back", () -> {
            for (var session = idle.poll(); session != null; session = idle.poll()) {
                session.close();
            }
            return null;
        });
    }
}
