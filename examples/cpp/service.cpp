// One answer a connection: enough of HTTP for a browser.

#include <arpa/inet.h>
#include <iostream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

static std::string greeting(const std::string &request) {
    static const std::regex line("^GET /(\\w*) HTTP/1\\.[01]\r\n");
    std::smatch match;
    if (!std::regex_search(request, match, line))
        throw std::invalid_argument("this is no request");
    return "hello from C++, " + (match[1].length() ? match[1].str() : "world") + "\n";
}

static void answer(int client) {
    char buffer[4096];
    const ssize_t length = read(client, buffer, sizeof buffer);
    std::ostringstream reply;
    try {
        reply << "HTTP/1.0 200 OK\r\n\r\n" << greeting(std::string(buffer, length > 0 ? length : 0));
    } catch (const std::exception &error) {
        reply << "HTTP/1.0 400 Bad Request\r\n\r\n" << error.what() << "\n";
    }
    const std::string text = reply.str();
    if (write(client, text.data(), text.size()) < 0)
        std::cerr << "a client has gone\n";
    close(client);
}

int main() {
    const int server = socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(8080);
    if (bind(server, reinterpret_cast<sockaddr *>(&place), sizeof place) != 0 || listen(server, 16) != 0) {
        std::cerr << "cannot listen on port 8080\n";
        return 1;
    }
    for (;;) {
        const int client = accept(server, nullptr, nullptr);
        if (client >= 0)
            std::thread(answer, client).detach();
    }
}
