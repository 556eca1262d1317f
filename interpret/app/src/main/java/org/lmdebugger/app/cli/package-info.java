/**
 * The command line {@code lmdebug}: one class for each command, the options that several share, and the tables, bars
 * and texts that a terminal shows. No other package depends on this one, but for the options that a Spark cluster takes,
 * too.
 */
package org.lmdebugger.app.cli;
