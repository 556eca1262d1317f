/**
 * Sweeps on many machines, by Apache Spark. The driver needs no model: executors plan the sweep and compute its units,
 * each with a model of its own. {@link org.lmdebugger.spark.SweepJob} is the driver's side,
 * {@link org.lmdebugger.spark.UnitGroup} the work of one task, and {@link org.lmdebugger.spark.ResultFolder} keeps each task's
 * results in a file that is there whole or not at all.
 */
package org.lmdebugger.spark;
