/**
 * HTTP without any inference: who is let in, how many may connect, files of the page, events and problems as answers.
 */
package org.lmdebugger.app.server.http;
