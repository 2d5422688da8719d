// The version that the library reports is the one that it was built as.
#include <gtest/gtest.h>
#include <percale/core/version.h>

TEST(Version, IsTheBuilds) { EXPECT_STREQ(percale::version(), PERCALE_VERSION); }
