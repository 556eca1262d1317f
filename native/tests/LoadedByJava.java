import java.lang.foreign.*;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

import static java.lang.foreign.ValueLayout.*;

/** LayerNorm in a JVM, on the emulation and, where it was built so, under AddressSanitizer; "overrun" does it wrong. */
class LoadedByJava {
    static final Arena ARENA = Arena.ofShared();
    static final int ROWS = 5;
    static final int COLUMNS = 100;

    static MethodHandle function(String library, String name, MemoryLayout... arguments) {
        var address = SymbolLookup.libraryLookup(Path.of(library), ARENA).findOrThrow(name);
        return Linker.nativeLinker().downcallHandle(address, FunctionDescriptor.of(JAVA_INT, arguments));
    }

    static MemorySegment matrix(long address, long rows, long columns) {
        var matrix = ARENA.allocate(40, 8);
        matrix.setAtIndex(JAVA_LONG, 0, address);
        matrix.setAtIndex(JAVA_LONG, 1, rows);
        matrix.setAtIndex(JAVA_LONG, 2, columns);
        matrix.setAtIndex(JAVA_LONG, 3, columns);
        return matrix;
    }

    public static void main(String[] arguments) throws Throwable {
        var cudart = arguments[0] + "/libcudart.so.13";
        var malloc = function(cudart, "cudaMalloc", ADDRESS, JAVA_LONG);
        var createStream = function(cudart, "cudaStreamCreateWithFlags", ADDRESS, JAVA_INT);
        var synchronize = function(cudart, "cudaStreamSynchronize", ADDRESS);
        var copy = function(cudart, "cudaMemcpyAsync", ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS);
        var layerNorm = function(arguments[0] + "/liblmdebugger.so", "lmdebugger_layer_norm",
                ADDRESS, ADDRESS, ADDRESS, ADDRESS, JAVA_FLOAT, ADDRESS);

        int allocated = arguments[1].equals("overrun") ? COLUMNS - 1 : COLUMNS;
        var out = ARENA.allocate(ADDRESS);
        check((int) createStream.invoke(out, 1));
        var stream = out.get(ADDRESS, 0);
        var pointers = new long[4];
        long[] sizes = {4L * ROWS * COLUMNS, 4L * ROWS * COLUMNS, 4L * COLUMNS, 4L * allocated};
        var host = ARENA.allocate(JAVA_FLOAT, ROWS * COLUMNS);
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            host.setAtIndex(JAVA_FLOAT, i, i % COLUMNS);
        }
        for (int i = 0; i < 4; i++) {
            check((int) malloc.invoke(out, sizes[i]));
            pointers[i] = out.get(JAVA_LONG, 0);
            check((int) copy.invoke(MemorySegment.ofAddress(pointers[i]), host, sizes[i], 1, stream));
        }
        for (int time = 0; time < 50; time++) {
            check((int) layerNorm.invoke(matrix(pointers[0], ROWS, COLUMNS), matrix(pointers[1], ROWS, COLUMNS),
                    matrix(pointers[2], 1, COLUMNS), matrix(pointers[3], 1, COLUMNS), 1e-5f, stream));
            check((int) copy.invoke(host, MemorySegment.ofAddress(pointers[0]), sizes[0], 2, stream));
            var thread = new Thread(() -> {
                try {
                    check((int) synchronize.invoke(stream)); // where the kernel runs, on a thread of the JVM
                } catch (Throwable failure) {
                    throw new AssertionError(failure);
                }
            });
            thread.start();
            System.gc(); // stops all threads, whatever stack they stand on
            thread.join();
            double deviation = Math.sqrt((COLUMNS * COLUMNS - 1) / 12.0 + 1e-5);
            for (int i = 0; i < ROWS * COLUMNS; i++) {
                int c = i % COLUMNS;
                double expected = (c - (COLUMNS - 1) / 2.0) / deviation * c + c;
                if (!(Math.abs(host.getAtIndex(JAVA_FLOAT, i) - expected) < 1e-3)) {
                    throw new AssertionError(i + ": " + host.getAtIndex(JAVA_FLOAT, i) + " (expected: " + expected + ")");
                }
            }
        }
        System.out.println("loaded by Java: passed");
    }

    static void check(int status) {
        if (status != 0) {
            throw new AssertionError("status: " + status);
        }
    }
}
