/** The HTTP interface: a class for each group of routes, which checks a request, has the work done and answers. */
package org.lmdebugger.app.server.routes;
