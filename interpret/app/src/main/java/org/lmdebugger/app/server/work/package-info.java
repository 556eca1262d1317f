/**
 * Inference in turn: one queue in front of the model, jobs that can be cancelled, sweeps, and builds between other
 * work.
 */
package org.lmdebugger.app.server.work;
