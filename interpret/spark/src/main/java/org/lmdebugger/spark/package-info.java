/**
 * Sweeps and activation patching on many machines, by Apache Spark. The driver needs no model: executors plan the work and
 * compute it, each with a model of its own. {@link org.lmdebugger.spark.Driver} is the driver's side of all commands,
 * {@link org.lmdebugger.spark.TaskGroup} the work of one task, and {@link org.lmdebugger.spark.ResultFolder} keeps each task's
 * results in a file that is there whole or not at all.
 */
package org.lmdebugger.spark;
