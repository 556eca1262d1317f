package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Tensors and devices that one thread closes while another uses them. */
@OnEveryDevice
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class LifetimesTest {
    private static final int SIZE = 100_000;
    /** As many as are asked for: the common pool may have one alone. */
    private static final Executor THREADS = task -> Thread.ofPlatform().daemon().start(task);

    private static Tensor filled(Device device, float value) {
        var tensor = device.allocate(ElementType.F32, 1, SIZE);
        var values = new float[SIZE];
        Arrays.fill(values, value);
        device.call(session -> {
            session.upload(tensor, values);
            return null;
        });
        return tensor;
    }

    private static boolean isAll(float[] values, float value) {
        for (float each : values) {
            if (each != value) {
                return false;
            }
        }
        return true;
    }

    /** Memory that was closed is used again at once, which a reader must not see. */
    @Test
    void aReadGivesTheTensorsOwnNumbersOrNone() {
        var random = new Random(Long.getLong("test.seed", 1));
        var wrong = new CopyOnWriteArrayList<Integer>();
        try (var device = TestDevice.open()) {
            for (int round = 0; round < 400; round++) {
                int value = round;
                var tensor = filled(device, value);
                var together = new Phaser(2);
                var reader = CompletableFuture.runAsync(() -> {
                    together.arriveAndAwaitAdvance();
                    try {
                        while (isAll(tensor.toFloats(), value)) {
                            Thread.onSpinWait();
                        }
                        wrong.add(value);
                    } catch (IllegalStateException closed) {
                        assertThat(closed).hasMessageEndingWith(": closed");
                    }
                }, THREADS);
                together.arriveAndAwaitAdvance();
                for (int spins = random.nextInt(20_000); spins > 0; spins--) {
                    Thread.onSpinWait();
                }
                tensor.close();
                filled(device, -1 - value).close();
                reader.join();
            }
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    void aDeviceClosesWhatNobodyClosedAndCountsIt() {
        var messages = new CopyOnWriteArrayList<String>();
        var logger = Logger.getLogger("org.lmdebugger.device");
        var handler = new Handler() {
            @Override
            public void publish(LogRecord record) {
                messages.add(record.getMessage());
            }

            @Override
            public void flush() {
            }

            @Override
            public void close() {
            }
        };
        logger.addHandler(handler);
        try {
            var device = TestDevice.open();
            var left = filled(device, 1);
            filled(device, 2);
            filled(device, 3).close();
            device.close();
            device.close();
            assertThat(messages).containsExactly(
                    device.name() + ": closed with 2 tensors of 800,000 bytes that nobody had closed (expected: none)");
            assertThatThrownBy(left::toFloats).isInstanceOf(IllegalStateException.class)
                    .hasMessage(device.name() + ": closed");
            left.close();
        } finally {
            logger.removeHandler(handler);
        }
    }

    @Test
    void aDeviceWaitsForTheCallsInProgressBeforeItCloses() throws Exception {
        var device = TestDevice.open();
        var tensor = filled(device, 7);
        var begun = new CountDownLatch(1);
        var goOn = new CountDownLatch(1);
        var read = CompletableFuture.supplyAsync(() -> device.call(session -> {
            begun.countDown();
            await(goOn);
            return tensor.toFloats();
        }), THREADS);
        begun.await();
        var closed = CompletableFuture.runAsync(device::close, THREADS);
        while (isOpen(device)) { // until it refuses calls
            Thread.onSpinWait();
        }
        assertThat(closed).isNotDone();
        goOn.countDown();
        closed.join();
        assertThat(isAll(read.join(), 7)).isTrue();
    }

    private static boolean isOpen(Device device) {
        try {
            return device.call(session -> true);
        } catch (IllegalStateException closed) {
            return false;
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException failure) {
            throw new AssertionError(failure);
        }
    }

    @Test
    void closingWithinACallIsRefusedAndClosesNothing() {
        try (var device = TestDevice.open(); var tensor = filled(device, 5)) {
            device.call(session -> {
                assertThatThrownBy(device::close).isInstanceOf(IllegalStateException.class)
                        .hasMessage(device.name() + ": closed within a call (expected: after it)");
                assertThatThrownBy(device::awaitCalls).isInstanceOf(IllegalStateException.class);
                return null;
            });
            assertThat(isAll(tensor.toFloats(), 5)).isTrue();
        }
    }
}
