package org.lmdebugger.bindings;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Collections;

/** The file descriptors through which a process writes to a terminal, a file or a pipe. */
public final class Terminal {
    /** The file descriptor of standard error. */
    public static final int STANDARD_ERROR = 2;

    private Terminal() {
    }

    /** Returns whether an open file descriptor leads to a terminal, and not to a file or a pipe. */
    public static boolean is(int descriptor) {
        return call("isatty", descriptor) == 1;
    }

    /**
     * Redirects standard error to the target of another file descriptor, and closes that one.
     *
     * @throws IllegalArgumentException if {@code descriptor} is not open
     */
    public static void standardErrorTo(int descriptor) {
        if (call("dup2", descriptor, STANDARD_ERROR) < 0) {
            throw new IllegalArgumentException("descriptor: " + descriptor + " (expected: an open one)");
        }
        call("close", descriptor);
    }

    /** Calls a function of the C library that takes and returns ints. */
    private static int call(String function, int... arguments) {
        var linker = Linker.nativeLinker();
        var ints = Collections.nCopies(arguments.length, ValueLayout.JAVA_INT).toArray(ValueLayout[]::new);
        var handle = linker.downcallHandle(linker.defaultLookup().findOrThrow(function),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ints));
        try {
            return (int) handle.invokeWithArguments(Arrays.stream(arguments).boxed().toList());
        } catch (Throwable impossible) {
            throw new AssertionError("a function of C throws nothing", impossible);
        }
    }
}
