/** The one form in which long work reports its progress and is cancelled. */
package org.lmdebugger.progress;
