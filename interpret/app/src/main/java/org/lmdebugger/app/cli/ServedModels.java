package org.lmdebugger.app.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import org.lmdebugger.app.server.Server;
import org.lmdebugger.app.server.work.ModelChoice;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.hub.ModelSource;

/**
 * The models that one process serves, one after the other: that of the command line first, then those that clients
 * choose. Thread-safe.
 */
final class ServedModels implements ModelChoice {
    private final ModelFiles first;
    private ModelFiles loaded; // the last one that could be; guarded by this, as all below
    private ModelFiles next;
    private String failure;
    private Server server;
    private boolean stopped;

    ServedModels(ModelFiles first) {
        this.first = first;
        next = first;
    }

    /** Returns the model to be served now; empty if the process is to end. */
    synchronized Optional<ModelFiles> next() {
        return stopped ? Optional.empty() : Optional.of(next);
    }

    /** Waits until another model is chosen or the process is to end. */
    synchronized void await(Server started) {
        server = started;
        loaded = next;
        try {
            while (!stopped && next == loaded) {
                wait();
            }
        } catch (InterruptedException stop) {
            stopped = true;
            Thread.currentThread().interrupt();
        }
        server = null;
    }

    /** Goes back to the model before. @throws RuntimeException the failure itself, if there was none before */
    synchronized void failed(RuntimeException why) {
        if (loaded == null || next == loaded) {
            throw why;
        }
        failure = "%s cannot be loaded: %s".formatted(next.name(), why.getMessage());
        next = loaded;
    }

    /** Closes the server that runs, and has the process end. */
    void stop() {
        Server running;
        synchronized (this) {
            stopped = true;
            running = server;
            notifyAll();
        }
        if (running != null) {
            running.close();
        }
    }

    @Override
    public List<ModelFiles> list() {
        var byName = new LinkedHashMap<String, ModelFiles>();
        byName.put(first.name(), first); // which may be a directory that is not found by name
        ModelSource.system().list().forEach(each -> byName.putIfAbsent(each.name(), each));
        return List.copyOf(byName.values());
    }

    @Override
    public synchronized void load(ModelFiles model) {
        failure = null;
        next = model;
        notifyAll();
    }

    @Override
    public synchronized Optional<String> failure() {
        return Optional.ofNullable(failure);
    }
}
