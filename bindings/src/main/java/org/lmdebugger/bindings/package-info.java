/**
 * Native libraries, and nothing above them: what is generated from their headers, what finds and loads them, and
 * facades that check every argument, so that no mistake of a caller reaches native code.
 *
 * <p>All restricted methods of the JDK are called here alone. The JVM wants {@code --enable-native-access=ALL-UNNAMED}
 * (a launcher's manifest may say {@code Enable-Native-Access: ALL-UNNAMED} instead).
 */
package org.lmdebugger.bindings;
