// Any bytes as the columns of a table beside weights: what can be written again, or an error of Percale's.
#include <percale/nn/data/table_schema.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using percale::data::TableSchema;
  try {
    const TableSchema schema = TableSchema::from_json({reinterpret_cast<const char*>(data), size});
    const std::string json = schema.json();
    if (TableSchema::from_json(json).json() != json) __builtin_trap();
  } catch (const percale::Error&) {
  }
  return 0;
}
