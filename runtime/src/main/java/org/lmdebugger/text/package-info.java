/** Text for people. */
package org.lmdebugger.text;
