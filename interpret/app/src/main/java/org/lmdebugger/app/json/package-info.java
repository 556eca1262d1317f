/** JSON as the commands print it, the server answers it and files hold it; and reading what comes from elsewhere. */
package org.lmdebugger.app.json;
