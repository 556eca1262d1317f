/**
 * The interactive debugger as a web application. {@link org.lmdebugger.app.server.Server} puts together the
 * packages below: {@code http} lets requests in and sends answers, {@code work} does inference in turn, {@code
 * routes} answers requests. Of these, {@code work} uses {@code http}, and {@code routes} uses both.
 */
package org.lmdebugger.app.server;
