/** Files that several processes write: replaced whole or not at all, one writer at a time. */
package org.lmdebugger.files;
