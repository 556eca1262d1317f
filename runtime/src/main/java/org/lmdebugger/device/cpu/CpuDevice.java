package org.lmdebugger.device.cpu;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.function.Function;
import org.lmdebugger.bindings.CpuKernels;
import org.lmdebugger.bindings.NativeLibraryException;
import org.lmdebugger.bindings.OpenBlas;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.DeviceTraits;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Lifetimes;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Tensor;

/**
 * The processor: {@link CpuKernels} for matrix products, or OpenBLAS where there are none; the JDK's vectors for the rest. Needs
 * {@code --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED}.
 */
public final class CpuDevice implements Device {
    /** Chunks of a few thousand rows of a GPT-2 small, tall enough for full speed. */
    private static final DeviceTraits TRAITS = new DeviceTraits(256 << 20, 256, 1, false, false);

    private final Workers workers;
    private final Lifetimes lifetimes = new Lifetimes("cpu");
    private final CpuPool pool = new CpuPool();
    private final ConcurrentLinkedDeque<CpuOperations> idle = new ConcurrentLinkedDeque<>();

    /**
     * @param threads how many threads compute, the caller's included
     * @throws NativeLibraryException if the kernels, or OpenBLAS in their place, cannot be loaded
     * @throws IllegalStateException if the JVM was started without the vector module
     */
    public CpuDevice(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("threads: " + threads + " (expected: at least 1)");
        }
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
            throw new IllegalStateException("module jdk.incubator.vector: not there "
                    + "(expected: java --add-modules jdk.incubator.vector)");
        }
        if (CpuKernels.lanes() == 0) {
            OpenBlas.load();
        }
        workers = new Workers(threads);
    }

    @Override
    public String name() {
        return "cpu";
    }

    @Override
    public String description() {
        return "%d threads, %d-bit vectors, products by %s".formatted(workers.threads(),
                Layouts.SPECIES.vectorBitSize(), CpuKernels.lanes() == 0 ? OpenBlas.description()
                        : "kernels for " + (CpuKernels.lanes() == 16 ? "AVX-512" : "AVX2"));
    }

    /** The kernels have the same bits by AVX2 and by AVX-512; sums of rows are those of the JDK's widest vectors. */
    @Override
    public String arithmetic() {
        return "CPU, %s, Java %d, %d-bit vectors, products by %s".formatted(System.getProperty("os.arch"),
                Runtime.version().feature(), Layouts.SPECIES.vectorBitSize(),
                CpuKernels.lanes() == 0 ? OpenBlas.description() : "fused multiply-adds in order");
    }

    @Override
    public Precision precision() {
        return Precision.FP32;
    }

    @Override
    public DeviceTraits traits() {
        return TRAITS;
    }

    @Override
    public Tensor allocate(ElementType type, long rows, long columns) {
        if (rows < 0 || columns < 0) {
            throw new IllegalArgumentException("shape: [%d, %d] (expected: no negative size)".formatted(rows, columns));
        }
        long bytes = Math.multiplyExact(Math.multiplyExact(rows, columns), type.bytes());
        try {
            return Tensor.owning(CpuMemory.allocate(this, lifetimes, pool, bytes), type, rows, columns);
        } catch (OutOfMemoryError failure) {
            throw new OutOfDeviceMemoryException(("memory: %,d bytes for [%d, %d] of %s cannot be allocated (%s); "
                    + "-XX:MaxDirectMemorySize sets the limit").formatted(bytes, rows, columns, type,
                            failure.getMessage()),
                    failure);
        }
    }

    @Override
    public Tensor load(ElementType type, long rows, long columns, MemorySegment data) {
        if (data.byteSize() != rows * columns * type.bytes()) {
            throw new IllegalArgumentException(
                    "data: %d bytes (expected: [%d, %d] of %s)".formatted(data.byteSize(), rows, columns, type));
        }
        if (type == ElementType.F32 && data.isNative() && data.address() % Float.BYTES == 0) {
            return Tensor.owning(CpuMemory.inPlace(this, lifetimes, data), ElementType.F32, rows, columns);
        }
        var tensor = allocate(ElementType.F32, rows, columns);
        Rows.widen(CpuMemory.of(tensor), type, data);
        return tensor;
    }

    @Override
    public <T> T call(Function<Operations, T> work) {
        long call = lifetimes.begin();
        try {
            var session = idle.poll();
            if (session == null) {
                session = new CpuOperations(workers);
            }
            try {
                return work.apply(session);
            } finally {
                idle.push(session);
            }
        } finally {
            lifetimes.end(call);
        }
    }

    @Override
    public void awaitCalls() {
        lifetimes.await();
    }

    @Override
    public void close() {
        lifetimes.close();
        workers.close();
        pool.close();
    }
}
