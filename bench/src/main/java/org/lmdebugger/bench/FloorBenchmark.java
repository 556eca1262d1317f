package org.lmdebugger.bench;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Precision;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What a device can do at best: read {@value #BYTES} bytes, and multiply square matrices. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1,
        jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector",
                "-XX:MaxDirectMemorySize=4g"})
@Warmup(iterations = 8)
@Measurement(iterations = 9)
public class FloorBenchmark {
    static final long BYTES = 1L << 30;
    private static final long COLUMNS = 4096;

    /** As the command line takes it. */
    @Param("cpu")
    private String deviceName;

    @Param("FP32")
    private Precision precision;

    /** Rows and columns of the matrices: 2048 keep a CPU busy, 8192 a GPU. */
    @Param("2048")
    private int size;

    private final Arena arena = Arena.ofShared();
    private MemorySegment memory;
    private Device device;
    private TensorScope scope;
    private Tensor a;
    private Tensor b;
    private Tensor c;
    private Tensor norms;
    private Tensor rows;

    @Setup
    public void allocate() {
        device = Devices.open(deviceName, precision);
        scope = new TensorScope(device);
        a = scope.allocate(ElementType.F32, size, size);
        b = scope.allocate(precision == Precision.BF16 ? ElementType.BF16 : ElementType.F32, size, size); // as weights are
        c = scope.allocate(ElementType.F32, size, size);
        if (deviceName.equals("cpu")) {
            memory = arena.allocate(BYTES, 64).fill((byte) 1);
        } else {
            rows = scope.allocate(ElementType.F32, BYTES / 4 / COLUMNS, COLUMNS);
            norms = scope.allocate(ElementType.F32, 1, rows.rows());
        }
    }

    @TearDown
    public void free() {
        scope.close();
        device.close();
        arena.close();
    }

    @Benchmark
    public double read() {
        return deviceName.equals("cpu") ? readOnAllProcessors() : readOnDevice();
    }

    private double readOnDevice() {
        return device.call(session -> {
            session.rowNorms(norms, rows);
            return 0.0;
        });
    }

    private double readOnAllProcessors() {
        int threads = Runtime.getRuntime().availableProcessors();
        return IntStream.range(0, threads).parallel()
                .mapToDouble(t -> sum(memory, BYTES / threads * t, BYTES / threads * (t + 1))).sum();
    }

    private static float sum(MemorySegment memory, long from, long to) {
        var species = FloatVector.SPECIES_PREFERRED;
        long step = species.vectorByteSize();
        var sum1 = FloatVector.zero(species);
        var sum2 = FloatVector.zero(species);
        var sum3 = FloatVector.zero(species);
        var sum4 = FloatVector.zero(species);
        for (long i = from; i <= to - 4 * step; i += 4 * step) {
            sum1 = FloatVector.fromMemorySegment(species, memory, i, LITTLE_ENDIAN).add(sum1);
            sum2 = FloatVector.fromMemorySegment(species, memory, i + step, LITTLE_ENDIAN).add(sum2);
            sum3 = FloatVector.fromMemorySegment(species, memory, i + 2 * step, LITTLE_ENDIAN).add(sum3);
            sum4 = FloatVector.fromMemorySegment(species, memory, i + 3 * step, LITTLE_ENDIAN).add(sum4);
        }
        return sum1.add(sum2).add(sum3.add(sum4)).reduceLanes(VectorOperators.ADD);
    }

    @Benchmark
    public void gemm() {
        device.call(session -> {
            session.multiply(c, a, b);
            return null;
        });
    }
}
