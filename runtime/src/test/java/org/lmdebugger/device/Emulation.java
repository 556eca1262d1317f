package org.lmdebugger.device;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;

/**
 * The cards that emulated CUDA has and their faults: variables of the environment, which it reads at each call, as
 * {@code native/emulation/settings.h} describes them.
 */
public final class Emulation {
    /** A variable that has a value for a test. */
    public static final class Setting implements AutoCloseable {
        private final String variable;

        private Setting(String variable) {
            this.variable = variable;
        }

        /** Gives the variable the value that it had when the process began. */
        @Override
        public void close() {
            change(variable, System.getenv(variable));
        }
    }

    private Emulation() {
    }

    /** Gives a variable of this process's environment a value until the setting is closed. */
    public static Setting set(String variable, Object value) {
        change(variable, value.toString());
        return new Setting(variable);
    }

    private static void change(String variable, String value) {
        try (var arena = Arena.ofConfined()) {
            var name = arena.allocateFrom(variable);
            if (value == null) {
                call("unsetenv", name);
            } else {
                call("setenv", name, arena.allocateFrom(value), 1);
            }
        }
    }

    private static void call(String function, Object... arguments) {
        var linker = Linker.nativeLinker();
        var types = new MemoryLayout[arguments.length];
        for (int i = 0; i < types.length; i++) {
            types[i] = arguments[i] instanceof MemorySegment ? ADDRESS : JAVA_INT;
        }
        var handle = linker.downcallHandle(linker.defaultLookup().findOrThrow(function),
                FunctionDescriptor.of(JAVA_INT, types));
        try {
            handle.invokeWithArguments(arguments);
        } catch (Throwable impossible) {
            throw new AssertionError("a function of C throws nothing", impossible);
        }
    }
}
