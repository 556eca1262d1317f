package org.lmdebugger.device.cuda;

import java.lang.foreign.MemorySegment;
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
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Lifetimes;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Tensor;

/**
 * An NVIDIA GPU: cuBLAS for products, the kernels of {@code native} for the rest. Each call has a stream, a cuBLAS
 * handle and a workspace of its own, which later calls use again; weights are shared.
 */
public final class CudaDevice implements Device {
    /**
     * Whether freed memory is kept for later requests, instead of going back to the driver each time: true unless set.
     */
    public static final String KEEP = "lmdebugger.cuda.keep";

    private final boolean keep = Boolean.parseBoolean(System.getProperty(KEEP, "true"));
    private final int ordinal;
    private final Precision precision;
    private final ConcurrentLinkedDeque<CudaOperations> idle = new ConcurrentLinkedDeque<>();
    private final ThreadLocal<CudaOperations> current = new ThreadLocal<>();
    private final Lifetimes lifetimes;
    private final CudaPool pool = new CudaPool();
    private volatile boolean closed;

    /**
     * @param ordinal number of the GPU, from 0
     * @throws NativeLibraryException   if CUDA cannot be used, saying everything that was tried, or the GPU is too old
     * @throws IllegalArgumentException if there is no GPU of that number
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

    @Override
    public Precision precision() {
        return precision;
    }

    @Override
    public Tensor allocate(ElementType type, long rows, long columns) {
        if (rows < 0 || columns < 0) {
            throw new IllegalArgumentException("shape: [%d, %d] (expected: no negative size)".formatted(rows, columns));
        }
        long bytes = Math.max(1, Math.multiplyExact(Math.multiplyExact(rows, columns), type.bytes()));
        try {
            return Tensor.owning(new GpuMemory(this, address(bytes), bytes), type, rows, columns);
        } catch (CudaException failure) {
            throw explained("[%d, %d] of %s".formatted(rows, columns, type), failure);
        }
    }

    private RuntimeException explained(String what, CudaException failure) {
        return failure.isOutOfMemory() ? new OutOfDeviceMemoryException("memory of %s: %s: %s"
                .formatted(name(), what, failure.getMessage()), failure) : failure;
    }

    /**
     * Returns a freed block or a new one; when the driver has no memory left, all kept blocks are given back to it
     * first.
     */
    long address(long bytes) {
        var session = current.get();
        long kept = session == null ? 0 : session.freed().take(bytes);
        kept = kept == 0 ? pool.take(bytes) : kept;
        if (kept != 0) {
            return kept;
        }
        return onGpu(() -> allocateNew(bytes, session));
    }

    private static long allocateNew(long bytes, CudaOperations session) {
        try {
            return CudaMemory.allocate(bytes);
        } catch (CudaException failure) {
            if (!failure.isOutOfMemory()) {
                throw failure;
            }
            if (session != null) {
                session.synchronize();
                session.freed().clear();
            }
            pool.clear();
            return CudaMemory.allocate(bytes);
        }
    }

    /**
     * Frees a block. Work that a call has queued may still use it, so until the call ends only that call can reuse it.
     */
    void free(long address, long bytes) {
        var session = current.get();
        if (closed || !keep) {
            onGpu(() -> {
                CudaMemory.free(address); // waits for queued work
                return null;
            });
        } else {
            (session == null ? pool : session.freed()).add(address, bytes);
        }
    }

    @Override
    public Tensor load(ElementType type, long rows, long columns, MemorySegment data) {
        if (data.byteSize() != rows * columns * type.bytes()) {
            throw new IllegalArgumentException(
                    "data: %d bytes (expected: [%d, %d] of %s)".formatted(data.byteSize(), rows, columns, type));
        }
        var tensor = allocate(weightType(rows), rows, columns);
        try {
            if (type == tensor.type()) {
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

    /** Stores matrices as BF16 where products are BF16; gains and biases, which are added, stay FP32. */
    private ElementType weightType(long rows) {
        return precision == Precision.BF16 && rows > 1 ? ElementType.BF16 : ElementType.F32;
    }

    @Override
    public <T> T call(Function<Operations, T> work) {
        var own = current.get();
        if (own != null) { // within a call: its queue
            return onGpu(() -> {
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
            return onGpu(() -> {
                var session = idle.poll();
                return call(session == null ? newSession() : session, work);
            });
        } finally {
            lifetimes.end(call);
        }
    }

    private CudaOperations newSession() {
        try {
            return new CudaOperations(this);
        } catch (CudaException failure) {
            throw explained("a queue of work", failure);
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
            session.freed().moveTo(pool);
            idle.push(session);
        }
    }

    /**
     * Does {@code work} with this GPU current. No other can become so meanwhile: that is a matter of a platform thread, so
     * a virtual thread, which may go on on another one whenever it waits, leaves the work to a thread of its own.
     */
    private <T> T onGpu(Supplier<T> work) {
        return Thread.currentThread().isVirtual() ? onPlatformThread(() -> onGpu(work)) : CudaDevices.on(ordinal, work);
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
        onGpu(() -> {
            for (var session = idle.poll(); session != null; session = idle.poll()) {
                session.close();
            }
            pool.clear();
            return null;
        });
    }
}
