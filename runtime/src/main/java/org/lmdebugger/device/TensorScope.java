package org.lmdebugger.device;

import java.util.ArrayDeque;
import java.util.Deque;

/** A group of tensors that are freed together, the last first. One thread at a time uses it. */
public final class TensorScope implements AutoCloseable {
    private final Device device;
    private final Deque<Tensor> tensors = new ArrayDeque<>();

    public TensorScope(Device device) {
        this.device = device;
    }

    public Device device() {
        return device;
    }

    /** Allocates a tensor of undefined contents that is freed with this scope. */
    public Tensor allocate(ElementType type, long rows, long columns) {
        return add(device.allocate(type, rows, columns));
    }

    /** Allocates an I32 vector that is freed with this scope. */
    public Tensor vector(Operations session, int... contents) {
        var tensor = allocate(ElementType.I32, 1, contents.length);
        session.upload(tensor, contents);
        return tensor;
    }

    /** Allocates an F32 vector that is freed with this scope. */
    public Tensor vector(Operations session, float... contents) {
        var tensor = allocate(ElementType.F32, 1, contents.length);
        session.upload(tensor, contents);
        return tensor;
    }

    /** Adds {@code tensor}, which is then freed with this scope. */
    public Tensor add(Tensor tensor) {
        tensors.push(tensor);
        return tensor;
    }

    /** Frees all tensors, even if freeing one fails; once is enough, more do nothing. */
    @Override
    public void close() {
        RuntimeException failure = null;
        while (!tensors.isEmpty()) {
            try {
                tensors.pop().close();
            } catch (RuntimeException thrown) {
                if (failure == null) {
                    failure = thrown;
                } else {
                    failure.addSuppressed(thrown);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
