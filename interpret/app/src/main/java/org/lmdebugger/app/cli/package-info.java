/**
 * The command line {@code lmdebug}: one class for each command, the options that several share, and the tables, bars
 * and texts that a terminal shows. No other package depends on this one.
 */
package org.lmdebugger.app.cli;
