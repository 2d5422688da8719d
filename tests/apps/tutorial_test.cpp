// Every snippet of the tutorial that is built so far, in Percale, with the tutorial's Python above it.
#include <gtest/gtest.h>
#include <percale/percale.h>

#include <cmath>
#include <regex>
#include <sstream>

using namespace percale;

namespace {

std::string printed(const auto& value) {
  std::ostringstream stream;
  stream << value;
  return stream.str();
}

// linear = nn.Linear(in_features=5, out_features=10)
//
// input = torch.rand((30, 5))
// output = linear(input)
//
// print(output[0:2])
TEST(Tutorial, ALinearLayerMixesFeatures) {
  nn::Linear linear(5, 10);

  Tensor input = percale::rand({30, 5});
  Tensor output = linear(input);

  std::string text = printed(output.slice(0, 0, 2));

  // tensor([[-0.7293, -0.1951,  0.5209,  0.5675, -0.1038,  0.5577,  0.5348, -0.4421,
  //           1.0414,  0.5022],
  //         [-0.6138, -0.2785,  0.1877,  0.5519, -0.1119,  0.3371,  0.4090, -0.5615,
  //           1.0520,  0.3136]], grad_fn=<SliceBackward0>)
  const std::string row = "\\[ ?-?\\d\\.\\d{4}(,\\s+-?\\d\\.\\d{4}){9}\\]";
  EXPECT_TRUE(
      std::regex_match(text, std::regex("tensor\\(\\[" + row + ",\\s+" + row + "\\], grad_fn=<SliceBackward0>\\)")))
      << text;
}

// class SimpleCNN(nn.Module):
//     def __init__(self):
//         super(SimpleCNN, self).__init__()
//         self.conv1 = nn.Conv2d(1, 32, kernel_size=3, padding=1)
//         self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
//         self.fc1 = nn.Linear(64*7*7, 128)
//         self.fc2 = nn.Linear(128, 10)  # Assuming 10 classes for classification
//
//     def forward(self, x):
//         x = F.relu(self.conv1(x))
//         x = F.max_pool2d(x, 2)
//         x = F.relu(self.conv2(x))
//         x = F.max_pool2d(x, 2)
//         x = x.view(-1, 64*7*7)
//         x = F.relu(self.fc1(x))
//         embeddings = x  # This is the layer before the last
//         x = self.fc2(embeddings)
//         return x, embeddings
struct SimpleCNN : nn::ModuleOf<SimpleCNN> {
  nn::Conv2d conv1 = add("conv1", nn::Conv2d(1, 32, 3, {.padding = 1}));
  nn::Conv2d conv2 = add("conv2", nn::Conv2d(32, 64, 3, {.padding = 1}));
  nn::Linear fc1 = add("fc1", nn::Linear(64 * 7 * 7, 128));
  nn::Linear fc2 = add("fc2", nn::Linear(128, 10));  // assuming 10 classes for classification

  std::pair<Tensor, Tensor> forward(Tensor x) const {
    x = relu(conv1(x));
    x = max_pool2d(x, 2);
    x = relu(conv2(x));
    x = max_pool2d(x, 2);
    x = x.reshape({-1, 64 * 7 * 7});  // the tutorial's view: images are channels-last in memory, so this copies
    x = relu(fc1(x));
    Tensor embeddings = x;  // this is the layer before the last
    x = fc2(embeddings);
    return {x, embeddings};
  }
};

TEST(Tutorial, ViewSaysThatReshapeIsMeant) {
  const Tensor images = Tensor::empty_channels_last({2, 64, 7, 7});
  EXPECT_THROW(images.view({-1, 64 * 7 * 7}), Error);
  EXPECT_EQ(images.reshape({-1, 64 * 7 * 7}).shape(), Shape({2, 64 * 7 * 7}));
}

// transform = transforms.Compose([
//     transforms.ToTensor(),
//     transforms.Normalize((0.5,), (0.5,))
// ])
//
// train_dataset = datasets.MNIST(root='./data', train=True, download=True, transform=transform)
// train_loader = DataLoader(train_dataset, batch_size=64, shuffle=True)
//
// model = SimpleCNN()
// criterion = nn.CrossEntropyLoss()
// optimizer = optim.Adam(model.parameters(), lr=0.001)
//
// for epoch in range(5):  # Train for 5 epochs
//     for data, target in train_loader:
//         optimizer.zero_grad()
//         output, _ = model(data)
//         loss = criterion(output, target)
//         loss.backward()
//         optimizer.step()
//
// model.eval()
// with torch.no_grad():
//     for data, _ in train_loader:
//         _, embeddings = model(data)
//         print(embeddings.shape)  # This will print the shape of the embeddings
//         print(embeddings[1])  # Print the embeddings of the first image
//         break  # Just to demonstrate, we break after the first batch
TEST(Tutorial, TheLayerBeforeTheLastIsTheEmbedding) {
  manual_seed(0);
  data::LabelledImages train_dataset = data::generated_digits(640, 0);
  data::DataLoader train_loader(train_dataset, {.batch_size = 64, .shuffle = true});

  SimpleCNN model;
  nn::CrossEntropyLoss criterion;
  optim::Adam optimizer(model.parameters(), {.lr = 0.001});
  double first = 0, last = 0;

  for (int epoch = 0; epoch < 5; ++epoch) {
    for (auto [data, target] : train_loader) {
      optimizer.zero_grad();
      auto [output, _] = model(data);
      Tensor loss = criterion(output, target);
      loss.backward();
      optimizer.step();
      last = loss.item<double>();
      if (first == 0) first = last;
    }
  }
  EXPECT_NEAR(first, std::log(10.0), 0.3);
  EXPECT_LT(last, 1);

  model.eval();
  NoGradGuard no_grad;
  for (auto [data, _] : train_loader) {
    auto [output, embeddings] = model(data);
    EXPECT_EQ(printed(embeddings.shape()), "torch.Size([64, 128])");
    // tensor([ 0.0000,  1.1136,  0.0000,  0.0000,  5.8238,  0.0000,  5.3606,  0.0000, ...
    EXPECT_TRUE(printed(embeddings[1]).starts_with("tensor(["));
    EXPECT_EQ(embeddings[1].shape(), Shape({128}));
    EXPECT_FALSE(embeddings.requires_grad());
    EXPECT_GE(min(embeddings).item<float>(), 0);
    break;
  }
}

// # Load pre-trained model and tokenizer
// model_name = 'bert-base-uncased'
// tokenizer = BertTokenizer.from_pretrained(model_name)
// model = BertModel.from_pretrained(model_name)
//
// # Example text
// text = "Hello, how are you?"
//
// # Tokenize the text
// inputs = tokenizer(text, return_tensors='pt')
//
// # Get the embeddings
// with torch.no_grad():
//     outputs = model(**inputs)
//
// # The embeddings are in the last hidden state
// embeddings = outputs.last_hidden_state
//
// print(embeddings.shape)
// print(embeddings.squeeze())
//
// # Get the embeddings for the [CLS] token
// cls_embedding = embeddings[:, 0, :]
//
// # Or average the token embeddings
// sentence_embedding = embeddings.mean(dim=1)
TEST(Tutorial, ATextBecomesAVectorAToken) {
  // Where the tutorial says from_pretrained(model_name), which reads 440 MB, stand two layers with random weights.
  auto tokenizer = language::small_vocabulary();
  models::Bert model({.vocab_size = tokenizer.vocabulary_size(), .num_hidden_layers = 2});

  std::string text = "Hello, how are you?";

  auto inputs = tokenizer(text);

  NoGradGuard no_grad;
  auto outputs = model(inputs.input_ids, inputs.attention_mask);

  Tensor embeddings = outputs.last_hidden_state;

  EXPECT_EQ(printed(embeddings.shape()), "torch.Size([1, 8, 768])");
  // tensor([[-0.0824,  0.0667, -0.2880,  ..., -0.3566,  0.1960,  0.5381],
  const std::string number = " ?-?\\d\\.\\d{4}";
  const std::string row = "\\[" + number + ", +" + number + ", +" + number + ",  \\.\\.\\., +.*\\]";
  EXPECT_TRUE(std::regex_search(printed(embeddings.squeeze()), std::regex("^tensor\\(\\[" + row + ",\n")))
      << embeddings;

  Tensor cls_embedding = embeddings.select(1, 0);
  Tensor sentence_embedding = mean(embeddings, {1});

  EXPECT_EQ(printed(cls_embedding.shape()), "torch.Size([1, 768])");
  EXPECT_EQ(printed(sentence_embedding.shape()), "torch.Size([1, 768])");
}

// class HumorClassifier(nn.Module):
//     def __init__(self):
//         super(HumorClassifier, self).__init__()
//         self.linear = nn.Linear(768, 1)
//
//     def forward(self, x):
//         return torch.sigmoid(self.linear(x))
struct HumorClassifier : nn::ModuleOf<HumorClassifier> {
  nn::Linear linear = add("linear", nn::Linear(768, 1));

  Tensor forward(const Tensor& x) const { return sigmoid(linear(x)); }
};

// classifier = HumorClassifier()
//
// # ... obtain here texts and matching labels
// # ... obtain here embeddings for the texts
//
// criterion = nn.BCELoss()
// optimizer = optim.Adam(classifier.parameters(), lr=0.001)
//
// # Convert labels to tensor
// labels = torch.tensor(labels, dtype=torch.float32).unsqueeze(1)
//
// # Training loop
// for epoch in range(100):
//     optimizer.zero_grad()
//     outputs = classifier(embeddings)
//     loss = criterion(outputs, labels)
//     loss.backward()
//     optimizer.step()
//     print(f'Epoch {epoch+1}, Loss: {loss.item()}')
TEST(Tutorial, AClassifierLearnsFromEmbeddings) {
  manual_seed(0);
  HumorClassifier classifier;

  auto [texts, truth, _] = data::shipped_texts();
  auto tokenizer = language::small_vocabulary();
  models::SentenceEncoder encoder(models::Bert({.vocab_size = tokenizer.vocabulary_size(), .num_hidden_layers = 1}),
                                  tokenizer);
  Tensor embeddings = encoder.encode(texts);

  nn::BCELoss criterion;
  optim::Adam optimizer(classifier.parameters(), {.lr = 0.001});

  Tensor labels = truth.to(f32).unsqueeze(1);

  std::vector<double> losses;
  for (int epoch = 0; epoch < 100; ++epoch) {
    optimizer.zero_grad();
    Tensor outputs = classifier(embeddings);
    Tensor loss = criterion(outputs, labels);
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item<double>());
  }
  EXPECT_LT(losses.back(), 0.75 * losses.front());
}

// model = SentenceTransformer('paraphrase-MiniLM-L6-v2')
//
// # Sentences we want to encode. Example:
// sentence = ['This framework generates embeddings for each input sentence']
//
// # Sentences are encoded by calling model.encode()
// embedding = model.encode(sentence)
TEST(Tutorial, ASentenceBecomesAVector) {
  // models::SentenceEncoder::from_pretrained("paraphrase-MiniLM-L6-v2"), with random weights in its place.
  auto tokenizer = language::small_vocabulary();
  models::SentenceEncoder model(models::Bert({.vocab_size = tokenizer.vocabulary_size(),
                                              .hidden_size = 384,
                                              .num_hidden_layers = 6,
                                              .intermediate_size = 1536}),
                                tokenizer);

  std::vector<std::string> sentence = {"This framework generates embeddings for each input sentence"};

  Tensor embedding = model.encode(sentence);

  EXPECT_EQ(embedding.shape(), Shape({1, 384}));
}

// data = {'category': ['cat', 'dog', 'bird', 'cat', 'bird', 'dog']}
// df = pd.DataFrame(data)
//
// # Create a unique index for each category
// df['category_index'] = df['category'].astype('category').cat.codes
//
// # Convert category indices to one-hot encoding
// num_classes = df['category_index'].nunique()
// one_hot = F.one_hot(torch.tensor(df['category_index']).to(torch.int64), num_classes=num_classes)
// print(one_hot)
//
// class SimpleModel(nn.Module):
//     def __init__(self, num_classes, embedding_dim):
//         super(SimpleModel, self).__init__()
//         self.embedding = nn.Embedding(num_classes, embedding_dim)
//         self.fc = nn.Linear(embedding_dim, 1)  # Example output layer
//
//     def forward(self, x):
//         embedding = self.embedding(x)
//         x = self.fc(embedding)
//         return x, embedding
struct SimpleModel : nn::ModuleOf<SimpleModel> {
  nn::Embedding embedding;
  nn::Linear fc;

  SimpleModel(int64_t num_classes, int64_t embedding_dim)
      : embedding(add("embedding", nn::Embedding(num_classes, embedding_dim))),
        fc(add("fc", nn::Linear(embedding_dim, 1))) {}  // example output layer

  std::pair<Tensor, Tensor> forward(Tensor x) const {
    Tensor embedding = this->embedding(x);
    x = fc(embedding);
    return {x, embedding};
  }
};

TEST(Tutorial, ACategoricalColumnBecomesVectors) {
  const std::string data = "category\ncat\ndog\nbird\ncat\nbird\ndog\n";
  data::Table df = data::read_table(io::Source(data, "data"));

  data::Categories categories(df["category"]);
  Tensor category_index = categories.codes(df["category"]);
  EXPECT_EQ(printed(category_index), "tensor([1, 2, 0, 1, 0, 2])");

  const int64_t num_classes = categories.count();
  EXPECT_EQ(printed(one_hot(category_index, num_classes)),
            "tensor([[0, 1, 0],\n"
            "        [0, 0, 1],\n"
            "        [1, 0, 0],\n"
            "        [0, 1, 0],\n"
            "        [1, 0, 0],\n"
            "        [0, 0, 1]])");

  SimpleModel model(num_classes, 4);
  auto [output, embeddings] = model(category_index);
  EXPECT_EQ(output.shape(), Shape({6, 1}));
  EXPECT_TRUE(printed(output).ends_with("]], grad_fn=<AddmmBackward0>)")) << printed(output);
  EXPECT_EQ(embeddings.shape(), Shape({6, 4}));
  EXPECT_TRUE(printed(embeddings).ends_with("]], grad_fn=<EmbeddingBackward0>)")) << printed(embeddings);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(embeddings.data<float>()[i], embeddings.data<float>()[12 + i]);
}

}  // namespace
