package org.lmdebugger.device.cpu;

/** A class in the package of a device, which is a module above this one; never run. */
public final class AnyDevice {
}
