package org.lmdebugger.examples;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;

/** A program's own work is the same on every device. */
@OnEveryDevice
class OwnDeviceWorkTest {
    @Test
    void aPartOfARowIsErasedInOrderWithOtherOperations() {
        try (var device = TestDevice.open(); var wide = device.allocate(ElementType.F32, 2, 5);
                var one = device.allocate(ElementType.F32, 1, 3)) {
            var x = wide.columns(1, 3);
            device.call(session -> {
                session.upload(wide, new float[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
                session.upload(one, new float[] {1, 1, 1});
                session.addBias(x, one);
                OwnDeviceWork.erase(session, x.row(1).columns(1, 2));
                session.addBias(x, one);
                return null;
            });
            assertThat(wide.toFloats()).containsExactly(1, 4, 5, 6, 5, 6, 9, 1, 1, 10);
        }
    }
}
