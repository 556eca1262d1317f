package org.lmdebugger.app.values;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;

/** A lock on a file, held by one thread of one process at a time. A process that dies loses it. */
final class ProcessLock implements AutoCloseable {
    private static final int PAUSE = 10; // milliseconds between attempts
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet(); // by this process: the system's lock is of all its threads

    private final Path file;
    private final FileChannel channel;

    private ProcessLock(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Waits for the lock and takes it.
     *
     * @param file    is made where there is none, with its folders, and stays
     * @param waiting is called again and again while another has the lock; what it throws ends the wait
     */
    static ProcessLock take(Path file, Runnable waiting) throws IOException {
        Files.createDirectories(file.getParent());
        var path = file.getParent().toRealPath().resolve(file.getFileName());
        while (true) {
            var lock = attempt(path);
            if (lock != null) {
                return lock;
            }
            waiting.run();
            try {
                Thread.sleep(PAUSE);
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
                throw new CancellationException();
            }
        }
    }

    private static ProcessLock attempt(Path path) throws IOException {
        if (!HELD.add(path)) {
            return null;
        }
        FileChannel channel = null;
        boolean taken = false;
        try {
            channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            taken = channel.tryLock() != null;
            return taken ? new ProcessLock(path, channel) : null;
        } finally {
            if (!taken) {
                release(path, channel);
            }
        }
    }

    private static void release(Path path, FileChannel channel) throws IOException {
        try {
            if (channel != null) {
                channel.close(); // with it goes the system's lock
            }
        } finally {
            HELD.remove(path);
        }
    }

    @Override
    public void close() throws IOException {
        release(file, channel);
    }
}
