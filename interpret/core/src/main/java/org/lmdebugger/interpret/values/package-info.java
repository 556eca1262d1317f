/**
 * The value vectors of a model: the tokens that each promotes and suppresses, the vectors that promote given tokens, and
 * the vectors most alike.
 */
package org.lmdebugger.interpret.values;
