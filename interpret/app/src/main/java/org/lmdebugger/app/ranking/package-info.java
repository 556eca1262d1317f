/**
 * Rankings that the terminal and the server both show: the tokens that a value vector promotes most, the value
 * vectors that words find, the strongest effects of a sweep.
 */
package org.lmdebugger.app.ranking;
