// Where MNIST is looked for, how it is downloaded, and what stands in for it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <percale/core/cpu/threads.h>
#include <percale/core/io/file.h>
#include <percale/nn/data/download.h>
#include <percale/nn/data/generated_digits.h>
#include <percale/nn/data/mnist.h>
#include <percale/nn/data/sha1.h>
#include <percale/nn/data/sha256.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "../testing/folder.h"
#include "../testing/message_of.h"

namespace percale::data {
namespace {

namespace fs = std::filesystem;

std::string digest(const std::string& bytes) {
  Sha256 sum;
  sum.add(bytes);
  return sum.finish();
}

TEST(Sha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  for (size_t size : {55u, 56u, 63u, 64u, 65u, 119u, 120u}) {
    Sha256 whole, pieces;
    const std::string bytes(size, 'x');
    whole.add(bytes);
    for (char byte : bytes) pieces.add({&byte, 1});
    EXPECT_EQ(whole.finish(), pieces.finish()) << size;
  }
}

TEST(Sha1, AgreesWithTheStandardsExamplesAndWithGit) {
  const auto digest = [](const std::string& bytes) {
    Sha1 sum;
    sum.add(bytes);
    return sum.finish();
  };
  EXPECT_EQ(digest(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(digest("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(digest(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  const percale::testing::Folder folder;
  io::write_file(folder / "a", "hello\n");
  EXPECT_EQ(git_sha1_of_file(folder / "a"), "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(GeneratedDigits, AreTheSameOnEveryMachineAndNumberOfThreads) {
  const LabelledImages digits = generated_digits(600, 7);
  const std::string bytes(reinterpret_cast<const char*>(digits.images.data()),
                          static_cast<size_t>(digits.images.numel()));
  EXPECT_EQ(digits.images.shape(), (Shape{600, 1, 28, 28}));
  EXPECT_EQ(digest(bytes), "afff2b7448f081357a2ed4e502ca2f05f54d395eb8d22afe0d0c9ff654fed0b0");
  const int threads = cpu::num_threads();
  cpu::set_num_threads(1);
  const LabelledImages alone = generated_digits(600, 7), tail = generated_digits(100, 7, 500);
  cpu::set_num_threads(threads);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(alone.images.data()), bytes.size()), bytes);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(tail.images.data()), 78'400), bytes.substr(500 * 784));
  EXPECT_EQ(tail.labels.data<int64_t>()[99], digits.labels.data<int64_t>()[599]);
  const LabelledImages other = generated_digits(600, 8);
  EXPECT_NE(std::string(reinterpret_cast<const char*>(other.images.data()), bytes.size()), bytes);
}

TEST(GeneratedDigits, LookLikeMnistInTheirNumbers) {
  const LabelledImages digits = generated_digits(2000, 1);
  int counts[10] = {};
  double ink = 0, x = 0, y = 0;
  const uint8_t* pixels = digits.images.data<uint8_t>();
  for (int64_t i = 0; i < digits.count(); ++i) ++counts[digits.labels.data<int64_t>()[i]];
  for (int64_t i = 0; i < digits.images.numel(); ++i) {
    ink += pixels[i], x += pixels[i] * static_cast<double>(i % 28), y += pixels[i] * static_cast<double>(i / 28 % 28);
  }
  for (int count : counts) EXPECT_NEAR(count, 200, 60);
  EXPECT_NEAR(ink / static_cast<double>(digits.images.numel()), 33.3, 4);  // MNIST's mean byte is 33.3
  EXPECT_NEAR(x / ink, 13.6, .5);
  EXPECT_NEAR(y / ink, 13.6, .5);
}

/// A web server of one folder's worth of files, in a thread: knows ranges, and can be told to break off or not to
/// answer.
class Server {
 public:
  std::string content;
  std::atomic<size_t> break_after = SIZE_MAX;  ///< bytes of the body
  std::atomic<bool> silent = false, ranges = true, missing = false;
  std::atomic<int> requests = 0;
  std::atomic<int64_t> last_offset = 0;

  explicit Server(std::string bytes) : content(std::move(bytes)), socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(socket_, reinterpret_cast<sockaddr*>(&address), size);
    listen(socket_, 8);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    stopping_ = true;
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  void serve() {
    while (!stopping_) {
      const int client = accept(socket_, nullptr, nullptr);
      if (client < 0) continue;
      answer(client);
      close(client);
    }
  }
  void answer(int client) {
    std::string request;
    char piece[2000];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t got = read(client, piece, sizeof piece);
      if (got <= 0) return;
      request.append(piece, static_cast<size_t>(got));
    }
    ++requests;
    if (silent) return std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const size_t range = request.find("Range: bytes=");
    const size_t offset = range == std::string::npos || !ranges ? 0 : std::stoul(request.substr(range + 13));
    last_offset = static_cast<int64_t>(offset);
    std::string status = offset ? "206 Partial" : "200 OK", body = content.substr(std::min(offset, content.size()));
    if (offset && body.empty()) status = "416 Range";
    if (missing) status = "404 Not Found", body = "";
    std::string reply = "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size());
    if (offset)
      reply += "\r\nContent-Range: bytes " + std::to_string(offset) + "-" + std::to_string(content.size() - 1) + "/" +
               std::to_string(content.size());
    reply += "\r\nConnection: close\r\n\r\n" + body.substr(0, break_after);
    [[maybe_unused]] const auto sent = send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
  }

  int socket_, port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

class Download : public ::testing::Test {
 protected:
  Download() {
    setenv("no_proxy", "127.0.0.1", 1);
    unsetenv("PERCALE_OFFLINE");
  }
  std::string error(const std::vector<std::string>& addresses, const std::string& sum) {
    return percale::testing::message_of([&] { download(addresses, path_, sum); });
  }

  const percale::testing::Folder folder_;
  const std::string path_ = folder_ / "file";
  const std::string content_ = std::string(300'000, 'a') + std::string(100'000, 'b');
};

TEST_F(Download, GoesOnWhereItBrokeOffAndChecksTheSum) {
  Server server(content_);
  server.break_after = 250'000;
  EXPECT_NE(error({server.address()}, digest(content_)), "no error");
  EXPECT_EQ(fs::file_size(path_ + ".part"), 250'000u);
  EXPECT_FALSE(fs::exists(path_));
  server.break_after = SIZE_MAX;
  EXPECT_EQ(error({server.address()}, digest(content_)), "no error");
  EXPECT_EQ(server.last_offset, 250'000);
  EXPECT_EQ(io::read_file(path_), content_);
  EXPECT_FALSE(fs::exists(path_ + ".part"));
}

TEST_F(Download, StartsAnewWhereTheServerKnowsNoRangesOrThePartIsWrong) {
  Server server(content_);
  io::write_file(path_ + ".part", std::string(1000, 'z'));
  EXPECT_EQ(error({server.address()}, digest(content_)), "no error");
  EXPECT_EQ(server.requests, 2);
  server.ranges = false;
  io::write_file(path_ + ".part", std::string(1000, 'a'));
  EXPECT_EQ(error({server.address()}, digest(content_)), "no error");
  EXPECT_EQ(io::read_file(path_), content_);
}

TEST_F(Download, TakesTheNextMirrorAndSaysWhatWasWrongWithEach) {
  Server missing(content_), wrong("other"), good(content_);
  missing.missing = true;
  EXPECT_EQ(error({missing.address(), wrong.address(), good.address()}, digest(content_)), "no error");
  EXPECT_EQ(io::read_file(path_), content_);
  const std::string text = error({missing.address(), wrong.address()}, digest(content_));
  EXPECT_NE(text.find(missing.address() + ": it answered 404"), std::string::npos) << text;
  EXPECT_NE(text.find(wrong.address() + ": expected SHA-256 " + digest(content_) + ", found " + digest("other")),
            std::string::npos)
      << text;
}

TEST_F(Download, ADeadNetworkIsKnownWithinThreeSeconds) {
  Server dead("");
  dead.silent = true;
  const auto begin = std::chrono::steady_clock::now();
  // 198.51.100.0/24 is for documentation: nobody answers there.
  EXPECT_NE(error({"http://198.51.100.1/", dead.address(), "http://no-such-host.invalid/"}, digest(content_)),
            "no error");
  // Three seconds for each of the three would be nine; between the two is room for a machine with much else to do.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
  setenv("PERCALE_OFFLINE", "1", 1);
  EXPECT_NE(error({dead.address()}, digest(content_)).find("PERCALE_OFFLINE"), std::string::npos);
  EXPECT_EQ(dead.requests, 1);
}

class MnistFiles : public ::testing::Test {
 protected:
  MnistFiles() {
    setenv("PERCALE_OFFLINE", "1", 1);
    setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1);
    unsetenv("PERCALE_DATA");
    options_.train_count = 30, options_.test_count = 10;
    options_.notice = [this](const std::string& line) { notices_.push_back(line); };
  }
  ~MnistFiles() override {
    for (const char* name : {"PERCALE_OFFLINE", "PERCALE_DATA", "XDG_CACHE_HOME"}) unsetenv(name);
  }
  static void write(const std::string& folder, char count) {
    fs::create_directories(folder);
    const std::string extent = std::string("\0\0\0\2\0\0\0\2", 8), number = std::string("\0\0\0", 3) + count;
    for (const std::string name : {"train", "t10k"}) {
      io::write_file(folder + "/" + name + "-images-idx3-ubyte",
                     std::string("\0\0\10\3", 4) + number + extent + std::string(static_cast<size_t>(count) * 4, 'i'));
      io::write_file(folder + "/" + name + "-labels-idx1-ubyte",
                     std::string("\0\0\10\1", 4) + number + std::string(static_cast<size_t>(count), '\3'));
    }
  }

  const percale::testing::Folder folder_;
  MnistOptions options_;
  std::vector<std::string> notices_;
};

TEST_F(MnistFiles, AreLookedForInOrder) {
  const Mnist generated = load_mnist(options_);
  EXPECT_TRUE(generated.is_generated());
  EXPECT_EQ(generated.train.count(), 30);
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_NE(notices_[0].find("PERCALE_OFFLINE is set"), std::string::npos);
  EXPECT_NE(notices_[0].find("generated digits"), std::string::npos);

  write(folder_ / "cache/percale/mnist", 3);
  EXPECT_EQ(load_mnist(options_).train.count(), 3);
  setenv("PERCALE_DATA", (folder_ / "data").c_str(), 1);
  EXPECT_EQ(load_mnist(options_).train.count(), 3) << "a folder of other data sets is passed over";
  write(folder_ / "data/mnist", 4);
  EXPECT_EQ(load_mnist(options_).train.count(), 4);
  write(folder_ / "data", 5);
  EXPECT_EQ(load_mnist(options_).train.count(), 5);
  write(folder_ / "named", 6);
  options_.folder = folder_ / "named";
  EXPECT_EQ(load_mnist(options_).name, folder_ / "named");
  EXPECT_EQ(load_mnist(options_).test.labels.data<int64_t>()[5], 3);
  EXPECT_EQ(notices_.size(), 1u);
}

TEST_F(MnistFiles, AFolderThatIsNamedMustHoldThem) {
  options_.folder = folder_ / "nothing";
  EXPECT_THROW(load_mnist(options_), Error);
  write(folder_ / "some", 2);
  fs::remove(folder_ / "some/t10k-labels-idx1-ubyte");
  options_.folder = folder_ / "some";
  EXPECT_NE(percale::testing::message_of([&] {
              load_mnist(options_);
            }).find("expected MNIST's four files, found no t10k-labels-idx1-ubyte(.gz)"),
            std::string::npos);
}

TEST_F(MnistFiles, WithoutANetworkDigitsAreGenerated) {
  unsetenv("PERCALE_OFFLINE");
  options_.mirrors = {"http://127.0.0.1:1/"};
  EXPECT_TRUE(load_mnist(options_).is_generated());
  EXPECT_NE(notices_.at(0).find("http://127.0.0.1:1/train-images-idx3-ubyte.gz"), std::string::npos) << notices_[0];
}

}  // namespace
}  // namespace percale::data
