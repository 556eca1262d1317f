/** Programs of a researcher, each of one file, which use the library as any other project would. */
package org.lmdebugger.examples;
