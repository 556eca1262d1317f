package org.lmdebugger.files;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;

/** A lock on a file, held by one caller of one process at a time. It is released when its process ends. */
public final class ProcessLock implements AutoCloseable {
    private static final int PAUSE = 10; // milliseconds between attempts
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet(); // by this process, as the system's lock is per process

    private final Path file;
    private final FileChannel channel;

    private ProcessLock(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Waits for the lock and takes it, by polling.
     *
     * @param file    is created if it does not exist, with its folders, and stays
     * @param waiting is called repeatedly while another caller has the lock; an exception of it ends the wait
     */
    public static ProcessLock take(Path file, Runnable waiting) throws IOException {
        Files.createDirectories(file.getParent());
        while (true) {
            var lock = tryTake(file);
            if (lock.isPresent()) {
                return lock.get();
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

    /**
     * Takes the lock, unless another caller has it.
     *
     * @param file is created if it does not exist, and stays
     */
    public static Optional<ProcessLock> tryTake(Path file) throws IOException {
        var path = Objects.requireNonNull(file.toAbsolutePath().getParent()).toRealPath().resolve(file.getFileName());
        if (!HELD.add(path)) {
            return Optional.empty();
        }
        boolean taken = false;
        try {
            var channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            try {
                taken = channel.tryLock() != null;
                return taken ? Optional.of(new ProcessLock(path, channel)) : Optional.empty();
            } finally {
                if (!taken) {
                    channel.close();
                }
            }
        } finally {
            if (!taken) {
                HELD.remove(path);
            }
        }
    }

    @Override
    public void close() throws IOException {
        try {
            channel.close(); // releases the system's lock
        } finally {
            HELD.remove(file);
        }
    }
}
