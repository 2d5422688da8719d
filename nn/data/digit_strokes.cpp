#include "digit_strokes.h"

#include <iterator>

namespace percale::data {
namespace {

constexpr bool corner = true;

template <const auto&... Points>
constexpr Stroke strokes[] = {Stroke(Points)...};

constexpr StrokePoint zero_round[] = {{.55f, .02f}, {.2f, .13f}, {.05f, .5f}, {.18f, .86f}, {.5f, .98f},
                                      {.83f, .84f}, {.95f, .5f}, {.8f, .12f}, {.5f, .02f}};
constexpr StrokePoint zero_overlapped[] = {{.68f, .08f}, {.35f, .04f}, {.08f, .4f},  {.14f, .85f}, {.48f, .98f},
                                           {.86f, .76f}, {.93f, .34f}, {.66f, .04f}, {.36f, .13f}};
constexpr StrokePoint zero_open[] = {{.45f, .06f}, {.12f, .3f}, {.06f, .7f},  {.4f, .98f},
                                     {.83f, .8f},  {.95f, .4f}, {.78f, .08f}, {.5f, .03f}};

constexpr StrokePoint zero_knotted[] = {{.5f, .2f},   {.72f, .03f}, {.4f, .02f},  {.1f, .3f},  {.08f, .74f},
                                        {.42f, .98f}, {.84f, .8f},  {.94f, .36f}, {.7f, .06f}, {.44f, .12f}};
constexpr StrokePoint one_bar[] = {{.55f, 0}, {.5f, .5f}, {.45f, 1}};
constexpr StrokePoint one_flag[] = {{.1f, .24f}, {.35f, .14f}, {.55f, 0, corner}, {.53f, .5f}, {.5f, 1}};
constexpr StrokePoint one_short_flag[] = {{.3f, .14f}, {.56f, 0, corner}, {.54f, .5f}, {.5f, 1}};
constexpr StrokePoint one_base[] = {{.1f, .99f}, {.5f, 1}, {.9f, .98f}};

constexpr StrokePoint two_plain[] = {{.1f, .24f},  {.28f, .05f},         {.6f, .01f}, {.85f, .2f}, {.72f, .5f},
                                     {.38f, .78f}, {.06f, .97f, corner}, {.5f, .95f}, {.97f, .95f}};
constexpr StrokePoint two_looped[] = {{.12f, .2f},  {.35f, .02f}, {.7f, .04f}, {.82f, .28f}, {.6f, .62f}, {.28f, .92f},
                                      {.08f, .93f}, {.08f, .78f}, {.3f, .76f}, {.62f, .93f}, {.98f, .88f}};
constexpr StrokePoint two_big_loop[] = {{.1f, .26f},  {.3f, .03f},  {.66f, .02f}, {.82f, .26f}, {.66f, .6f}, {.4f, .9f},
                                        {.14f, .98f}, {.02f, .82f}, {.16f, .64f}, {.42f, .72f}, {.68f, .9f}, {1, .86f}};
constexpr StrokePoint two_hooked[] = {{.2f, .36f},  {.1f, .18f}, {.35f, .01f},         {.72f, .04f}, {.85f, .28f},
                                      {.65f, .58f}, {.3f, .85f}, {.04f, .98f, corner}, {.4f, .9f},   {.96f, .98f}};
constexpr StrokePoint two_swan[] = {{.08f, .16f},         {.4f, .0f},  {.74f, .12f}, {.76f, .4f}, {.5f, .72f},
                                    {.15f, .96f, corner}, {.5f, .88f}, {.78f, .97f}, {.97f, .9f}};

constexpr StrokePoint three_round[] = {{.12f, .13f}, {.42f, .0f},  {.78f, .1f},  {.78f, .32f}, {.42f, .46f, corner},
                                       {.8f, .54f},  {.92f, .76f}, {.62f, .98f}, {.28f, .98f}, {.05f, .86f}};
constexpr StrokePoint three_flat[] = {{.1f, .04f}, {.5f, .03f}, {.86f, .02f, corner}, {.6f, .24f},  {.4f, .42f, corner},
                                      {.78f, .5f}, {.9f, .74f}, {.62f, .97f},         {.25f, .99f}, {.04f, .88f}};
constexpr StrokePoint three_looped[] = {{.1f, .14f}, {.45f, .0f}, {.8f, .14f},  {.68f, .38f}, {.42f, .5f}, {.34f, .44f},
                                        {.5f, .42f}, {.86f, .6f}, {.84f, .86f}, {.45f, 1},    {.05f, .9f}};
constexpr StrokePoint three_smooth[] = {{.18f, .08f}, {.55f, .0f},  {.84f, .18f}, {.62f, .42f}, {.5f, .47f},
                                        {.7f, .5f},   {.92f, .72f}, {.66f, .96f}, {.3f, 1},     {.04f, .92f}};

constexpr StrokePoint four_open[] = {{.16f, .02f}, {.1f, .3f}, {.06f, .54f, corner}, {.5f, .53f}, {.98f, .48f}};
constexpr StrokePoint four_stem[] = {{.8f, .0f}, {.74f, .5f}, {.68f, 1}};
constexpr StrokePoint four_cup[] = {{.14f, .06f}, {.08f, .36f}, {.24f, .52f}, {.56f, .48f}, {.82f, .3f}};
constexpr StrokePoint four_cup_stem[] = {{.88f, .0f}, {.8f, .45f}, {.7f, 1}};
constexpr StrokePoint four_closed[] = {{.68f, .0f}, {.34f, .34f}, {.04f, .66f, corner}, {.5f, .66f}, {.98f, .64f}};
constexpr StrokePoint four_closed_stem[] = {{.7f, .0f}, {.68f, .5f}, {.66f, 1}};
constexpr StrokePoint four_single[] = {{.24f, .04f}, {.12f, .3f},          {.06f, .5f, corner}, {.4f, .5f},
                                       {.74f, .42f}, {.92f, .02f, corner}, {.82f, .45f},        {.72f, 1}};
constexpr StrokePoint four_peaked[] = {{.7f, .04f}, {.36f, .2f}, {.06f, .5f, corner}, {.4f, .52f}, {.78f, .46f}};
constexpr StrokePoint four_peaked_stem[] = {{.84f, .0f}, {.76f, .5f}, {.66f, 1}};

constexpr StrokePoint five_single[] = {{.92f, .03f},         {.6f, .04f}, {.28f, .05f, corner}, {.2f, .24f},
                                       {.14f, .44f, corner}, {.5f, .36f}, {.86f, .52f},         {.88f, .8f},
                                       {.54f, .99f},         {.06f, .92f}};
constexpr StrokePoint five_body[] = {{.26f, .04f}, {.2f, .22f}, {.16f, .42f, corner}, {.5f, .38f}, {.84f, .56f},
                                     {.8f, .86f},  {.46f, 1},   {.06f, .9f}};
constexpr StrokePoint five_hat[] = {{.26f, .05f}, {.6f, .03f}, {.98f, .0f}};
constexpr StrokePoint five_snake[] = {{.96f, .02f}, {.62f, .0f},  {.3f, .08f}, {.2f, .3f},  {.46f, .46f},
                                      {.74f, .62f}, {.76f, .86f}, {.46f, 1},   {.06f, .94f}};
constexpr StrokePoint five_slanted[] = {
    {.98f, .06f}, {.7f, .02f},  {.46f, .04f, corner}, {.34f, .22f}, {.26f, .38f, corner},
    {.5f, .42f},  {.72f, .62f}, {.62f, .88f},         {.3f, 1},     {.02f, .94f}};

constexpr StrokePoint six_plain[] = {{.72f, .02f}, {.36f, .24f}, {.1f, .62f}, {.2f, .94f}, {.6f, .98f},
                                     {.88f, .78f}, {.7f, .56f},  {.36f, .6f}, {.14f, .8f}};
constexpr StrokePoint six_straight[] = {{.5f, .0f},   {.24f, .36f}, {.08f, .74f}, {.3f, .99f},
                                        {.74f, .92f}, {.84f, .68f}, {.52f, .58f}, {.18f, .76f}};
constexpr StrokePoint six_curled[] = {{.88f, .12f}, {.66f, .01f}, {.3f, .2f},  {.08f, .6f}, {.2f, .94f},
                                      {.6f, .98f},  {.9f, .74f},  {.66f, .5f}, {.3f, .58f}, {.12f, .76f}};
constexpr StrokePoint six_small[] = {{.66f, .0f},  {.3f, .3f},  {.1f, .7f},   {.24f, .97f}, {.56f, .96f},
                                     {.68f, .78f}, {.5f, .66f}, {.24f, .78f}, {.16f, .9f}};

constexpr StrokePoint six_wide[] = {{.5f, .0f},  {.2f, .28f},  {.04f, .66f}, {.22f, .96f}, {.66f, .98f},
                                    {.92f, .8f}, {.78f, .62f}, {.46f, .58f}, {.14f, .72f}};
constexpr StrokePoint six_open[] = {{.6f, .0f},   {.22f, .3f},  {.06f, .68f}, {.28f, .98f}, {.74f, .9f},
                                    {.84f, .68f}, {.56f, .56f}, {.32f, .7f},  {.28f, .86f}};

constexpr StrokePoint seven_plain[] = {{.04f, .08f}, {.5f, .05f}, {.94f, .03f, corner}, {.66f, .44f}, {.42f, 1}};
constexpr StrokePoint seven_serif[] = {{.04f, .24f},         {.08f, .05f, corner}, {.5f, .07f},
                                       {.95f, .03f, corner}, {.62f, .46f},         {.44f, 1}};
constexpr StrokePoint seven_curved[] = {{.04f, .2f},          {.24f, .04f}, {.55f, .08f},
                                        {.92f, .03f, corner}, {.74f, .36f}, {.56f, 1}};
constexpr StrokePoint seven_round[] = {{.04f, .14f}, {.4f, .03f}, {.82f, .04f}, {.86f, .24f}, {.66f, .6f}, {.5f, 1}};
constexpr StrokePoint seven_bar[] = {{.3f, .52f}, {.56f, .48f}, {.86f, .46f}};

constexpr StrokePoint eight_single[] = {{.8f, .14f},  {.5f, .01f},  {.18f, .18f}, {.42f, .44f},
                                        {.78f, .66f}, {.74f, .92f}, {.42f, .99f}, {.12f, .82f},
                                        {.34f, .56f}, {.72f, .34f}, {.84f, .12f}};
constexpr StrokePoint eight_top[] = {{.5f, .46f},  {.2f, .32f},  {.24f, .08f}, {.54f, .01f},
                                     {.82f, .14f}, {.76f, .36f}, {.5f, .46f}};
constexpr StrokePoint eight_bottom[] = {{.5f, .46f},  {.14f, .62f}, {.12f, .88f}, {.48f, .99f},
                                        {.84f, .86f}, {.84f, .62f}, {.5f, .46f}};
constexpr StrokePoint eight_crossed[] = {{.56f, .02f}, {.22f, .16f}, {.36f, .42f}, {.74f, .64f}, {.8f, .88f}, {.48f, 1},
                                         {.16f, .86f}, {.3f, .58f},  {.68f, .34f}, {.78f, .12f}, {.52f, .02f}};
constexpr StrokePoint eight_tailed[] = {{.98f, .0f}, {.56f, .04f}, {.2f, .16f},  {.4f, .42f}, {.7f, .64f}, {.66f, .92f},
                                        {.3f, .99f}, {.1f, .82f},  {.36f, .56f}, {.7f, .3f},  {1.0f, .02f}};
constexpr StrokePoint eight_broad[] = {{.94f, .12f}, {.68f, .01f}, {.22f, .06f}, {.08f, .26f},
                                       {.4f, .46f},  {.72f, .62f}, {.78f, .88f}, {.46f, 1},
                                       {.2f, .86f},  {.34f, .62f}, {.66f, .38f}, {.92f, .16f}};
constexpr StrokePoint eight_narrow[] = {{.9f, .06f}, {.6f, .0f},  {.24f, .14f}, {.36f, .4f}, {.66f, .62f},
                                        {.6f, .94f}, {.3f, .98f}, {.2f, .76f},  {.5f, .46f}, {.92f, .12f}};

constexpr StrokePoint nine_stem[] = {{.84f, .2f},  {.58f, .02f},         {.2f, .12f}, {.12f, .38f}, {.42f, .5f},
                                     {.76f, .34f}, {.86f, .12f, corner}, {.82f, .5f}, {.74f, 1}};
constexpr StrokePoint nine_tailed[] = {{.84f, .2f},          {.54f, .01f}, {.16f, .16f}, {.18f, .44f}, {.54f, .5f},
                                       {.84f, .24f, corner}, {.86f, .6f},  {.68f, .94f}, {.26f, .96f}};
constexpr StrokePoint nine_round[] = {{.74f, .08f}, {.36f, .03f}, {.1f, .26f}, {.3f, .5f},
                                      {.68f, .4f},  {.82f, .14f}, {.72f, .5f}, {.5f, 1}};
constexpr StrokePoint nine_flat[] = {{.88f, .14f}, {.6f, .04f},         {.2f, .2f},  {.06f, .38f}, {.36f, .42f},
                                     {.7f, .24f},  {.9f, .06f, corner}, {.84f, .5f}, {.72f, 1}};
constexpr StrokePoint nine_looped[] = {{.5f, .44f}, {.2f, .44f},  {.16f, .18f}, {.5f, .02f},
                                       {.8f, .16f}, {.62f, .42f}, {.4f, .46f}};
constexpr StrokePoint nine_looped_stem[] = {{.84f, .06f}, {.78f, .5f}, {.66f, 1}};

constexpr Skeleton skeletons[] = {
    {0, 3, .85f, strokes<zero_round>},
    {0, 2, .8f, strokes<zero_overlapped>},
    {0, 1, .75f, strokes<zero_open>},
    {0, 1, .8f, strokes<zero_knotted>},
    {1, 8, .25f, strokes<one_bar>},
    {1, .8f, .5f, strokes<one_flag>},
    {1, 1, .4f, strokes<one_short_flag>},
    {1, .5f, .6f, strokes<one_flag, one_base>},
    {2, 3, .8f, strokes<two_plain>},
    {2, 3, .85f, strokes<two_looped>},
    {2, 2, .85f, strokes<two_big_loop>},
    {2, 1, .8f, strokes<two_hooked>},
    {2, 1, .9f, strokes<two_swan>},
    {3, 3, .7f, strokes<three_round>},
    {3, .7f, .75f, strokes<three_flat>},
    {3, 1, .7f, strokes<three_looped>},
    {3, 2, .65f, strokes<three_smooth>},
    {4, 3, .7f, strokes<four_open, four_stem>},
    {4, 2, .75f, strokes<four_cup, four_cup_stem>},
    {4, 1, .8f, strokes<four_closed, four_closed_stem>},
    {4, 2, .7f, strokes<four_single>},
    {4, 1, .75f, strokes<four_peaked, four_peaked_stem>},
    {5, 2, .75f, strokes<five_single>},
    {5, 3, .8f, strokes<five_body, five_hat>},
    {5, 1.5f, .75f, strokes<five_snake>},
    {5, 1.5f, .9f, strokes<five_slanted>},
    {6, 3, .65f, strokes<six_plain>},
    {6, 2, .6f, strokes<six_straight>},
    {6, 1, .7f, strokes<six_curled>},
    {6, 1, .6f, strokes<six_small>},
    {6, 1, .75f, strokes<six_wide>},
    {6, 1, .7f, strokes<six_open>},
    {7, 3, .75f, strokes<seven_plain>},
    {7, 1, .75f, strokes<seven_serif>},
    {7, 1.5f, .75f, strokes<seven_curved>},
    {7, 2, .7f, strokes<seven_round>},
    {7, 1.2f, .8f, strokes<seven_plain, seven_bar>},
    {7, .8f, .8f, strokes<seven_curved, seven_bar>},
    {8, 3, .65f, strokes<eight_single>},
    {8, 1, .65f, strokes<eight_top, eight_bottom>},
    {8, 2, .6f, strokes<eight_crossed>},
    {8, 2, .55f, strokes<eight_narrow>},
    {8, 2, .65f, strokes<eight_tailed>},
    {8, 2, .7f, strokes<eight_broad>},
    {9, 3, .6f, strokes<nine_stem>},
    {9, 1, .65f, strokes<nine_tailed>},
    {9, 2, .6f, strokes<nine_round>},
    {9, 2, .65f, strokes<nine_flat>},
    {9, 2, .6f, strokes<nine_looped, nine_looped_stem>},
};

}  // namespace

std::span<const Skeleton> digit_skeletons() { return skeletons; }

}  // namespace percale::data
