/**
 * Files that outlive a process: effects of sweeps, names of value vectors, experiments, and the cache of what takes
 * long to compute. Each is written whole or not at all, is checked when it is read, and may be shared by several
 * processes.
 */
package org.lmdebugger.app.store;
