// core/cuda/blas.h on cuBLASLt, whose functions are looked up in libcublasLt.so.13 or .12 when the first product runs.
#include <cublasLt.h>

#include <array>
#include <map>
#include <mutex>

#include "../error.h"
#include "blas.h"
#include "shared_library.h"

namespace percale::cuda {
namespace {

#define PERCALE_CUBLAS_FUNCTIONS(each)    \
  each(cublasLtCreate);                   \
  each(cublasLtGetVersion);               \
  each(cublasLtGetStatusString);          \
  each(cublasLtMatmul);                   \
  each(cublasLtMatmulAlgoGetHeuristic);   \
  each(cublasLtMatmulDescCreate);         \
  each(cublasLtMatmulDescSetAttribute);   \
  each(cublasLtMatrixLayoutCreate);       \
  each(cublasLtMatrixLayoutSetAttribute); \
  each(cublasLtMatmulPreferenceCreate);   \
  each(cublasLtMatmulPreferenceDestroy);  \
  each(cublasLtMatmulPreferenceSetAttribute)

/// The functions of cuBLASLt that are used, by name.
struct Library : SharedLibrary {
#define PERCALE_CUBLAS(name) decltype(&::name) name = nullptr
  PERCALE_CUBLAS_FUNCTIONS(PERCALE_CUBLAS);
#undef PERCALE_CUBLAS
};

Library open_library() {
  Library library;
  library.open({"libcublasLt.so.13", "libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so.13",
                "/usr/local/cuda/lib64/libcublasLt.so.12"},
               "cuBLASLt 12 or 13 was not found ({}): it comes with the CUDA toolkit (package libcublas-13-0); put its "
               "folder in LD_LIBRARY_PATH");
  if (!library.handle) return library;
#define PERCALE_CUBLAS(name) library.look_up(library.name, #name)
  PERCALE_CUBLAS_FUNCTIONS(PERCALE_CUBLAS);
#undef PERCALE_CUBLAS
  return library;
}

const Library& opened() {
  static const Library library = open_library();
  return library;
}

const Library& cublas() {
  const Library& library = opened();
  require(library.reason.empty(), "matmul", "{}", library.reason);
  return library;
}

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    fail("matmul", "{} failed: {}", {what, cublas().cublasLtGetStatusString(status)});
}

cudaDataType_t data_type(DType dtype) {
  switch (dtype) {
    case f32:
      return CUDA_R_32F;
    case f64:
      return CUDA_R_64F;
    case f16:
      return CUDA_R_16F;
    case bf16:
      return CUDA_R_16BF;
    default:
      unsupported("matmul", dtype);
  }
}

cublasComputeType_t compute_type(const MatrixProduct& product) {
  if (product.dtype == f64) return CUBLAS_COMPUTE_64F;
  if (product.dtype == f32 && product.precision == Precision::tf32) return CUBLAS_COMPUTE_32F_FAST_TF32;
  return CUBLAS_COMPUTE_32F;
}

/// Everything that cuBLASLt must know of a product, kept for its extents, layouts and alignments.
struct Plan {
  cublasLtMatmulDesc_t description = nullptr;
  cublasLtMatrixLayout_t first = nullptr, second = nullptr, out = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
  ProductEpilogue epilogue = ProductEpilogue::none;  ///< that cuBLASLt does
};

using Key = std::array<int64_t, 17>;

struct Context {
  std::mutex mutex;  ///< held while a plan is made, and while one that takes a bias is used
  cublasLtHandle_t handle = nullptr;
  std::map<Key, Plan> plans;
};

Context& context() {
  static Context& the_context = *[] {  // never destroyed: the driver may be gone before
    auto* made = new Context;
    check(cublas().cublasLtCreate(&made->handle), "cublasLtCreate");
    return made;
  }();
  return the_context;
}

/// The largest power of two, 16 at most, that divides the address.
int64_t alignment_of(const void* address) {
  const auto value = reinterpret_cast<uintptr_t>(address) | 16;
  return static_cast<int64_t>(value & (~value + 1));
}

template <class Value>
void set(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t attribute, Value value) {
  check(cublas().cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof value),
        "cublasLtMatmulDescSetAttribute");
}

template <class Value>
void set(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute, Value value) {
  check(cublas().cublasLtMatrixLayoutSetAttribute(layout, attribute, &value, sizeof value),
        "cublasLtMatrixLayoutSetAttribute");
}

template <class Value>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, Value value) {
  check(cublas().cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute");
}

/// A row-major [rows, columns] matrix is a column-major one of [columns, rows].
cublasLtMatrixLayout_t layout_of(const MatrixProduct& product, int64_t rows, int64_t columns, int64_t leading,
                                 int64_t batch_step) {
  cublasLtMatrixLayout_t layout = nullptr;
  check(cublas().cublasLtMatrixLayoutCreate(&layout, data_type(product.dtype), static_cast<uint64_t>(columns),
                                            static_cast<uint64_t>(rows), leading),
        "cublasLtMatrixLayoutCreate");
  if (product.batch > 1) {
    set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<int32_t>(product.batch));
    set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, batch_step);
  }
  return layout;
}

cublasLtMatrixLayout_t layout_of(const MatrixProduct& product, const MatrixLayout& layout, int64_t rows,
                                 int64_t columns) {
  if (layout.transposed) std::swap(rows, columns);
  return layout_of(product, rows, columns, layout.leading, layout.batch_step);
}

cublasLtEpilogue_t epilogue_of(ProductEpilogue epilogue) {
  switch (epilogue) {
    case ProductEpilogue::bias:
      return CUBLASLT_EPILOGUE_BIAS;
    case ProductEpilogue::relu:
      return CUBLASLT_EPILOGUE_RELU;
    case ProductEpilogue::bias_relu:
      return CUBLASLT_EPILOGUE_RELU_BIAS;
    case ProductEpilogue::none:
      break;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

/// cuBLASLt's algorithm for the plan with `epilogue`, if it has one.
bool find_algorithm(const Context& context, Plan& plan, cublasLtMatmulPreference_t preference,
                    ProductEpilogue epilogue) {
  set(plan.description, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(epilogue));
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  const auto status = cublas().cublasLtMatmulAlgoGetHeuristic(context.handle, plan.description, plan.first, plan.second,
                                                              plan.out, plan.out, preference, 1, &found, &count);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status, "choosing an algorithm");
  if (status != CUBLAS_STATUS_SUCCESS || count == 0 || found.state != CUBLAS_STATUS_SUCCESS) return false;
  plan.algorithm = found.algo;
  plan.epilogue = epilogue;
  return true;
}

/// out = left right, row-major, is out^T = right^T left^T, column-major: so `right` comes first.
Plan make_plan(const Context& context, const MatrixProduct& product, const void* bias, const int64_t (&alignments)[4]) {
  const Library& lib = cublas();
  Plan plan;
  const cudaDataType_t scale = product.dtype == f64 ? CUDA_R_64F : CUDA_R_32F;
  check(lib.cublasLtMatmulDescCreate(&plan.description, compute_type(product), scale), "cublasLtMatmulDescCreate");
  set(plan.description, CUBLASLT_MATMUL_DESC_TRANSA, product.right.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(plan.description, CUBLASLT_MATMUL_DESC_TRANSB, product.left.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  if (bias) set(plan.description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);  // its alignment counts
  plan.first = layout_of(product, product.right, product.depth, product.columns);
  plan.second = layout_of(product, product.left, product.rows, product.depth);
  plan.out = layout_of(product, product.rows, product.columns, product.columns, product.rows * product.columns);

  cublasLtMatmulPreference_t preference = nullptr;
  check(lib.cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(product_workspace()));
  // No splitting of the depth: its parts may be added in any order, and it would depend on the number of rows.
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(alignments[1]));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(alignments[0]));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(alignments[2]));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(alignments[2]));
  bool found = find_algorithm(context, plan, preference, product.epilogue);
  if (!found && product.epilogue == ProductEpilogue::bias_relu)
    found = find_algorithm(context, plan, preference, ProductEpilogue::bias);
  if (!found && product.epilogue != ProductEpilogue::none)
    found = find_algorithm(context, plan, preference, ProductEpilogue::none);
  lib.cublasLtMatmulPreferenceDestroy(preference);
  require(found, "matmul", "cuBLASLt has no algorithm for [{}, {}] by [{}, {}] in {}", product.rows, product.depth,
          product.depth, product.columns, product.dtype);
  return plan;
}

}  // namespace

size_t product_workspace() { return size_t{32} << 20; }  // what NVIDIA recommends for sm_90

Unfinished multiply(const MatrixProduct& product, const void* left, const void* right, const void* bias, void* out,
                    void* workspace, Stream stream) {
  const Library& lib = cublas();
  Context& own = context();
  const int64_t alignments[4] = {alignment_of(left), alignment_of(right), alignment_of(out),
                                 bias ? alignment_of(bias) : 0};
  const Key key{product.rows,
                product.columns,
                product.depth,
                product.batch,
                product.left.transposed,
                product.left.leading,
                product.left.batch_step,
                product.right.transposed,
                product.right.leading,
                product.right.batch_step,
                static_cast<int>(product.dtype),
                static_cast<int>(compute_type(product)),
                static_cast<int>(product.epilogue),
                alignments[0],
                alignments[1],
                alignments[2],
                alignments[3]};
  const std::lock_guard lock(own.mutex);
  auto entry = own.plans.find(key);
  if (entry == own.plans.end()) entry = own.plans.emplace(key, make_plan(own, product, bias, alignments)).first;
  const Plan& plan = entry->second;
  if (bias) set(plan.description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  const float one = 1, zero = 0;
  const double double_one = 1, double_zero = 0;
  const bool in_double = product.dtype == f64;
  check(lib.cublasLtMatmul(own.handle, plan.description, in_double ? static_cast<const void*>(&double_one) : &one,
                           right, plan.first, left, plan.second,
                           in_double ? static_cast<const void*>(&double_zero) : &zero, out, plan.out, out, plan.out,
                           &plan.algorithm, workspace, product_workspace(), reinterpret_cast<cudaStream_t>(stream)),
        "cublasLtMatmul");
  return {has_bias(product.epilogue) && !has_bias(plan.epilogue),
          has_relu(product.epilogue) && !has_relu(plan.epilogue)};
}

std::string cublas_version() {
  const Library& library = opened();
  if (!library.reason.empty()) return library.reason;
  const size_t version = library.cublasLtGetVersion();
  return format_text("{}.{}.{}", {std::to_string(version / 10000), std::to_string(version / 100 % 100),
                                  std::to_string(version % 100)});
}

}  // namespace percale::cuda
