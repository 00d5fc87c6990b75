/* A plugin for mosquitto: Home Assistant's users may log in.
 *
 * Whoever is not in the password file is asked about at the Supervisor, as the real add-on's broker does: user name,
 * password and client id as JSON, POST /auth with the add-on's token. 200 lets in, anything else does not. The broker
 * stands still meanwhile, as it does with the real add-on.
 */
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SUPERVISOR "supervisor"
#define PATIENCE 30 /* seconds */
#define LONGEST 4096
#define SPARE 64 /* for what stands after a text */

static mosquitto_plugin_id_t *self;
static const char *passwords;

/* Whether the password file has this user: then it alone decides. */
static int is_local(const char *name)
{
	char line[LONGEST];
	size_t length = strlen(name);
	int found = 0;
	FILE *file = fopen(passwords, "r");

	while (file && !found && fgets(line, sizeof line, file))
		found = strncmp(line, name, length) == 0 && line[length] == ':';
	if (file)
		fclose(file);
	return found;
}

/* Append `text` as a JSON string; 0 when there is no room for it. */
static int quote(char *to, const char *text)
{
	size_t used = strlen(to);

	to[used++] = '"';
	for (; *text; text++) {
		unsigned char one = (unsigned char)*text;

		if (used + SPARE > LONGEST)
			return 0;
		if (one < 0x20 || one == '"' || one == '\\')
			used += (size_t)sprintf(to + used, "\\u%04x", one);
		else
			to[used++] = (char)one;
	}
	to[used++] = '"';
	to[used] = 0;
	return 1;
}

static int dial(void)
{
	struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
	struct timeval patience = {.tv_sec = PATIENCE};
	int connection = -1;

	if (getaddrinfo(SUPERVISOR, "80", &wanted, &found) != 0)
		return -1;
	connection = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
	if (connection >= 0) {
		setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
		if (connect(connection, found->ai_addr, found->ai_addrlen) != 0) {
			close(connection);
			connection = -1;
		}
	}
	freeaddrinfo(found);
	return connection;
}

/* Status of the answer, 0 without one. */
static int ask(const char *body)
{
	static const char head[] = "POST /auth HTTP/1.0\r\nHost: " SUPERVISOR "\r\nX-Supervisor-Token: %s\r\n"
				   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s";
	const char *token = getenv("SUPERVISOR_TOKEN");
	char text[2 * LONGEST] = "";
	int connection = dial(), status = 0;
	int size = snprintf(text, sizeof text, head, token ? token : "", strlen(body), body);

	if (connection < 0)
		return 0;
	if (size < (int)sizeof text && send(connection, text, (size_t)size, MSG_NOSIGNAL) == size) {
		memset(text, 0, sizeof text);
		if (recv(connection, text, 12, MSG_WAITALL) == 12)
			sscanf(text, "HTTP/1.%*d %d", &status);
	}
	close(connection);
	return status;
}

static int check(int event, void *data, void *userdata)
{
	struct mosquitto_evt_basic_auth *login = data;
	char body[LONGEST] = "{\"clientid\":";
	int status;

	(void)event;
	(void)userdata;
	if (!login->username || !login->password || is_local(login->username))
		return MOSQ_ERR_PLUGIN_DEFER;
	if (!quote(body, mosquitto_client_id(login->client)) || !strcat(body, ",\"password\":") ||
	    !quote(body, login->password) || !strcat(body, ",\"username\":") || !quote(body, login->username))
		return MOSQ_ERR_AUTH;
	status = ask(strcat(body, "}"));
	mosquitto_log_printf(MOSQ_LOG_NOTICE, "Home Assistant was asked about a login and said %d", status);
	return status == 200 ? MOSQ_ERR_SUCCESS : MOSQ_ERR_AUTH;
}

int mosquitto_plugin_version(int count, const int *versions)
{
	for (int i = 0; i < count; i++)
		if (versions[i] == 5)
			return 5;
	return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **userdata, struct mosquitto_opt *options, int count)
{
	(void)userdata;
	self = id;
	for (int i = 0; i < count; i++)
		if (strcmp(options[i].key, "passwords") == 0)
			passwords = options[i].value;
	return passwords ? mosquitto_callback_register(self, MOSQ_EVT_BASIC_AUTH, check, NULL, NULL) : MOSQ_ERR_INVAL;
}

int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int count)
{
	(void)userdata;
	(void)options;
	(void)count;
	return mosquitto_callback_unregister(self, MOSQ_EVT_BASIC_AUTH, check, NULL);
}
