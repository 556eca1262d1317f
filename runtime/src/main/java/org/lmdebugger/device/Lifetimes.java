package org.lmdebugger.device;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The calls in progress on a device and its memory that is not closed. Memory that is closed meanwhile is
 * given back only after the calls that may use it. For devices; for any thread.
 */
public final class Lifetimes {
    private static final System.Logger LOG = System.getLogger(Lifetimes.class.getPackageName());

    private final String device;
    private final Set<Memory> open = ConcurrentHashMap.newKeySet();
    private final Map<Long, Thread> running = new LinkedHashMap<>(); // by number, the oldest first
    private final Deque<Waiting> waiting = new ArrayDeque<>(); // the oldest first
    private long next; // number of the next call
    private boolean closed;

    /** Memory to give back when all calls below {@code number} have ended. */
    private record Waiting(long number, Runnable giveBack) {
    }

    /** @param device its name, for messages */
    public Lifetimes(String device) {
        this.device = device;
    }

    /** Begins a call of this thread, which gives its number to {@link #end}. @throws IllegalStateException if closed */
    public synchronized long begin() {
        if (closed && !isWithin()) {
            throw new IllegalStateException(device + ": closed");
        }
        running.put(next, Thread.currentThread());
        return next++;
    }

    /** Ends a call, and gives back the memory that only waited for it. */
    public void end(long call) {
        var due = new ArrayList<Runnable>();
        synchronized (this) {
            running.remove(call);
            long oldest = running.isEmpty() ? Long.MAX_VALUE : running.keySet().iterator().next();
            for (Iterator<Waiting> each = waiting.iterator(); each.hasNext();) {
                var first = each.next();
                if (first.number() > oldest) {
                    break;
                }
                each.remove();
                due.add(first.giveBack());
            }
            notifyAll();
        }
        due.forEach(Runnable::run);
    }

    /** Registers memory that its owner will close. */
    public void opened(Memory memory) {
        open.add(memory);
    }

    /**
     * Gives memory back when all calls of other threads that are in progress now have ended: at once, if none is. From
     * then on, whoever begins to use the memory has to find it closed.
     */
    public void closed(Memory memory, Runnable giveBack) {
        open.remove(memory);
        synchronized (this) {
            if (isOthersRunning(next)) {
                waiting.add(new Waiting(next, giveBack));
                return;
            }
        }
        giveBack.run();
    }

    /**
     * Waits until all calls that are in progress now have ended; an interrupt does not end the wait.
     *
     * @throws IllegalStateException within a call, which would wait for itself
     */
    public synchronized void await() {
        requireOutside();
        long before = next;
        boolean interrupted = false;
        while (isOthersRunning(before)) {
            try {
                wait();
            } catch (InterruptedException later) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean isWithin() {
        return running.containsValue(Thread.currentThread());
    }

    private void requireOutside() {
        if (isWithin()) {
            throw new IllegalStateException(device + ": closed within a call (expected: after it)");
        }
    }

    private boolean isOthersRunning(long before) {
        return running.entrySet().stream()
                .anyMatch(call -> call.getKey() < before && call.getValue() != Thread.currentThread());
    }

    /**
     * Refuses calls from now on, waits for those in progress, and closes the memory that nobody has closed, with a
     * warning that counts it.
     *
     * @throws IllegalStateException within a call, and nothing is closed then
     */
    public void close() {
        synchronized (this) {
            requireOutside();
            closed = true;
            await();
        }
        var left = List.copyOf(open);
        if (!left.isEmpty()) {
            LOG.log(System.Logger.Level.WARNING,
                    "%s: closed with %d tensors of %,d bytes that nobody had closed (expected: none)"
                            .formatted(device, left.size(), left.stream().mapToLong(Memory::byteSize).sum()));
            left.forEach(Memory::close);
        }
    }
}
