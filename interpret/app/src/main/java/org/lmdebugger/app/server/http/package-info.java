/**
 * HTTP without any inference: the check of requests, the bounds of connections, files of the page, events and problems
 * as answers.
 */
package org.lmdebugger.app.server.http;
